//! bedloe: the balancer's data plane
