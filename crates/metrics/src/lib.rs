//! bedloe: counters, trends and histograms
