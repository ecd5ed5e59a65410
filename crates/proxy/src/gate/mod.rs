//! What stands before a location: addresses that may enter (`allow`, `deny`), names and passwords (`auth_basic`), what
//! another server says (`auth_request`), and whether all of it or any must be passed (`satisfy`). Before them all stand
//! the limits of requests and connections.

mod basic;
mod crypt;
mod limit;
mod md5_crypt;
pub(crate) mod real_ip;
mod subrequest;
mod zone;

use route::Gates;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::{Routed, Served};

pub(crate) use crypt::Verifier;
pub use crypt::is_known as is_known_password;
pub(crate) use limit::{Limited, Zones};
pub(crate) use zone::{Fate, Fates};

/// What one of the ways in says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It is not there, or nobody is meant.
    Nothing,
    Enter,
    /// An answer of this status is due.
    Refused(u16),
}

/// Whether the request may enter; else what becomes of it.
pub(crate) async fn enter(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    gates: &Gates,
) -> Result<(), Served> {
    if let Some(real) = &gates.real_ip {
        real_ip::apply(connection, exchange, real);
    }
    if let Some(limits) = &gates.limits {
        limit::pass(connection, exchange, routed, limits).await?;
    }
    let mut refused = None;
    let address = match gates.allows(connection.client.remote_ip()) {
        None => Said::Nothing,
        Some(true) => Said::Enter,
        Some(false) => {
            if !gates.is_any_enough || (gates.basic.is_none() && gates.request.is_none()) {
                connection.log_failure(exchange, routed, "access forbidden by rule", None);
            }
            Said::Refused(403)
        }
    };
    if weigh(address, gates, &mut refused)? {
        return Ok(());
    }
    if let Some(basic) = &gates.basic {
        let named = basic::ask(connection, exchange, routed, basic).await;
        if weigh(named, gates, &mut refused)? {
            return Ok(());
        }
    }
    if let Some(request) = &gates.request {
        let asked = subrequest::ask(connection, exchange, routed, request).await?;
        if weigh(asked, gates, &mut refused)? {
            // How it could name itself is not told to a client that may enter.
            if refused == Some(401) {
                exchange.kept_fields.clear();
            }
            return Ok(());
        }
    }
    refused.map_or(Ok(()), |status| Err(Served::Status(status)))
}

/// Adds what one of the ways in says to what the others have said; true when the request may enter whatever else is
/// there.
fn weigh(said: Said, gates: &Gates, refused: &mut Option<u16>) -> Result<bool, Served> {
    match said {
        Said::Nothing => Ok(false),
        Said::Enter => Ok(gates.is_any_enough),
        Said::Refused(status @ (401 | 403)) if gates.is_any_enough => {
            // A client that can still name itself is told so.
            if *refused != Some(401) {
                *refused = Some(status);
            }
            Ok(false)
        }
        Said::Refused(status) => Err(Served::Status(status)),
    }
}
