//! Where a request comes from that a proxy has passed on, by that proxy's word.

use std::net::SocketAddr;

use route::RealIp;

use crate::downstream::Downstream;
use crate::exchange::Exchange;

/// Takes the word of a proxy that is believed, once a request.
pub(crate) fn apply(connection: &mut Downstream, exchange: &Exchange, real: &RealIp) {
    if connection.client.is_moved() {
        return;
    }
    let Some(header) = &real.header else {
        let told = connection.client.told.as_ref().map(|told| &told.source);
        let Some(source) = told else { return };
        if real.find(connection.client.remote_ip(), source.text.as_bytes()).is_some() {
            let address = SocketAddr::new(source.ip, source.port);
            connection.client.move_to(address);
        }
        return;
    };
    let head = connection.head_bytes();
    let mut list = Vec::new();
    for field in &exchange.request.fields {
        // Not as variables have it: a proxy may pass on a client's field whose name differs in a `_` alone.
        if field.name.of(head).eq_ignore_ascii_case(header.as_bytes()) {
            list.extend_from_slice(field.value.of(head));
            list.push(b',');
        }
    }
    if let Some(address) = real.find(connection.client.remote_ip(), &list) {
        connection.client.move_to(address);
    }
}
