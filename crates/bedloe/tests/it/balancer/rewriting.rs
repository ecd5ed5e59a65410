//! `proxy_redirect` and `proxy_cookie_*`, as the client sees what they do. Their cases are beside the code.

use crate::support::balancer::Balancer;
use crate::support::scripted::Scripted;

#[test]
fn addresses_and_cookies_fit_the_clients_side() {
    let server = Scripted::start(|link, _| {
        let own = link.another_handle().local_addr()?;
        loop {
            link.head()?;
            link.send(format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{own}/b/next\r\nSet-Cookie: a=1; Path=/b/\r\n\
                 Refresh: 5; url=http://{own}/b/next\r\nX: y\r\nSet-Cookie: b=2; Path=/\r\nContent-Length: 0\r\n\r\n"
            ))?;
        }
    });
    let upstream = server.address();
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; proxy_cookie_path /b/ /a/; proxy_cookie_flags ~ secure;
             location /a/ {{ proxy_pass http://{upstream}/b/; }}
             location /off/ {{ proxy_pass http://{upstream}/b/; proxy_redirect off; proxy_cookie_flags off; }} }}"
    ));
    let ask = |path| balancer.ask(format!("GET {path} HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n"));
    let port = balancer.address().port();
    let rewritten = ask("/a/");
    for line in [
        format!("Location: http://front.test:{port}/a/next\r\n"),
        "Refresh: 5; url=/a/next\r\n".to_owned(),
        "Set-Cookie: a=1; Path=/a/; Secure\r\n".to_owned(),
        "X: y\r\n".to_owned(),
        "Set-Cookie: b=2; Path=/; Secure\r\n".to_owned(),
    ] {
        assert!(rewritten.contains(&line), "no {line:?} in {rewritten}");
    }
    let kept = ask("/off/");
    for line in [
        format!("Location: http://{upstream}/b/next\r\n"),
        format!("Refresh: 5; url=http://{upstream}/b/next\r\n"),
        "Set-Cookie: a=1; Path=/a/\r\n".to_owned(),
        "Set-Cookie: b=2; Path=/\r\n".to_owned(),
    ] {
        assert!(kept.contains(&line), "no {line:?} in {kept}");
    }
}
