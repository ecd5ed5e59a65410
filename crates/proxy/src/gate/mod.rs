//! What stands before a location: addresses that may enter (`allow`, `deny`), names and passwords (`auth_basic`), and
//! whether all of it or any must be passed (`satisfy`). Before them all stand the limits of requests and connections.

mod basic;
mod crypt;
mod limit;
mod md5_crypt;
pub(crate) mod real_ip;
mod zone;

use route::Gates;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::Routed;

pub(crate) use crypt::Verifier;
pub(crate) use limit::{Limited, Zones};

/// What one of the ways in says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It is not there, or nobody is meant.
    Nothing,
    Enter,
    /// An answer of this status is due.
    Refused(u16),
}

/// Whether the request may enter; else the status to answer with.
pub(crate) async fn enter(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    gates: &Gates,
) -> Result<(), u16> {
    if let Some(real) = &gates.real_ip {
        real_ip::apply(connection, exchange, real);
    }
    if let Some(limits) = &gates.limits {
        limit::pass(connection, exchange, routed, limits).await?;
    }
    let address = match gates.allows(Some(connection.client.remote.ip())) {
        None => Said::Nothing,
        Some(true) => Said::Enter,
        Some(false) => Said::Refused(403),
    };
    if gates.is_any_enough && address == Said::Enter {
        return Ok(());
    }
    if let Said::Refused(status) = address
        && (!gates.is_any_enough || gates.basic.is_none())
    {
        connection.log_failure(exchange, routed, "access forbidden by rule", None);
        return Err(status);
    }
    let named = match &gates.basic {
        Some(basic) => basic::ask(connection, exchange, routed, basic).await,
        None => Said::Nothing,
    };
    match (named, address) {
        (Said::Refused(status), _) => Err(status),
        (Said::Nothing, Said::Refused(status)) => Err(status),
        _ => Ok(()),
    }
}
