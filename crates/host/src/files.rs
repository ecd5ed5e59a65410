//! The limit of files that this process, and those it starts, may have open. The one fact of a host that is not only
//! read: a soft limit below the hard one helps no program that serves or makes thousands of connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most files that this process may have open now; `None` is without limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// The most that it may raise its limit to; `None` is without limit.
pub fn hard_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the limit as far as it may go, and gives it.
pub fn raise() -> Option<u64> {
    let hard = hard_limit();
    // A refusal leaves what there was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard });
    limit()
}

/// Sets the limit to `wanted`, or as near below as this process may, and gives it. The hard limit is raised where that
/// is allowed, and never lowered.
pub fn set(wanted: u64) -> Option<u64> {
    let hard = hard_limit();
    let is_above = hard.is_some_and(|hard| wanted > hard);
    let raised = Rlimit { current: Some(wanted), maximum: if is_above { Some(wanted) } else { hard } };
    if setrlimit(Resource::Nofile, raised).is_err() {
        return raise();
    }
    limit()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_is_raised_as_far_as_it_may_and_no_further() {
        let hard = super::hard_limit();
        assert_eq!(super::raise(), hard);
        assert_eq!(super::limit(), hard);
    }
}
