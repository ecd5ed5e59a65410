//! Makes configurations out of good and bad ones by small changes, from a seed, and has them checked.

use super::checks::check;

/// Whole files, and cases with a little of everything: their lines are what is put together.
const FILES: &[&str] = &[
    include_str!("../../../../examples/seed/nginx.conf"),
    include_str!("../../../../examples/seed/conf.d/liberty-lb.conf"),
    include_str!("../../../../examples/seed/conf.d/liberty-upstream.conf"),
    include_str!("../../src/tests/cases/broken.txt"),
    include_str!("../../src/tests/cases/directives.txt"),
    include_str!("../../src/tests/cases/servers.txt"),
    include_str!("../../src/tests/cases/syntax.txt"),
    include_str!("../../src/tests/cases/traps.txt"),
    include_str!("../../src/tests/cases/upstreams.txt"),
];
/// What is put in: the signs that the language is made of, and odd letters.
const SIGNS: &[&[u8]] = &[
    b"{",
    b"}",
    b"}",
    b";",
    b";",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\"",
    b"'",
    b"\\",
    b"$",
    b"${",
    b"}",
    b"#",
    b"~",
    b"*",
    b"=",
    b"/",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"include conf.d/*.conf;",
    b"include nginx.conf;",
    b"http {",
    b"server {",
    b"location / {",
    b"location ~ ^/(?<a>.)(\\d) {",
    b"location @a {",
    b"if ($host !~* ^a) {",
    b"if (-f $a$1) {",
    b"rewrite ^/(.*)? /$1?$a? last;",
    b"set $a $1;",
    b"error_page 404 =200 /a?$1;",
    b"server_name ~^(?<b>.+)$ *.a .b c.*;",
    b"listen [::1]:80-90 so_keepalive=1::2;",
    b"upstream u {",
    b"map $host $x {",
    b"volatile;",
    b"default",
    b"~*(?<a>.",
    b"[::1]:80",
    b"10s",
    b"1k",
    b"off",
];
/// Lines of one file: several times what the seed has would only be slower.
const LINES_MAX: usize = 60;

/// Checks that many configurations; how many of them were without errors, and how long all of them were.
pub(crate) fn run(count: u64, seed: u64) -> (u64, usize) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut accepted, mut bytes) = (0, 0);
    for number in 0..count {
        let mut main = if number % 2 == 0 { whole() } else { lines(&mut random) };
        let mut other = lines(&mut random);
        for _ in 0..random.below(4) {
            mutate(&mut main, &mut random);
            mutate(&mut other, &mut random);
        }
        let other = if random.below(2) == 0 { Vec::new() } else { other };
        bytes += main.len() + other.len();
        accepted += u64::from(check(&main, &other));
    }
    (accepted, bytes)
}

/// The seed in one file, which is a configuration without errors.
fn whole() -> Vec<u8> {
    [b"events {} http {\n", FILES[1].as_bytes(), FILES[2].as_bytes(), b"}\n"].concat()
}

/// Lines from anywhere, in blocks that they may belong in.
fn lines(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let opened = random.below(4);
    for block in &["http {\n", "server {\n", "location / {\n"][..opened] {
        out.extend_from_slice(block.as_bytes());
    }
    for _ in 0..random.below(LINES_MAX) {
        let file = FILES[random.below(FILES.len())];
        let at = random.below(file.len());
        let line = file.as_bytes()[at..].split_inclusive(|byte| *byte == b'\n').nth(1).unwrap_or_default();
        out.extend_from_slice(line);
    }
    out.extend_from_slice(&b"}\n".repeat(opened));
    out
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below((bytes.len() - at).min(40) + 1);
    match random.below(6) {
        0 if at < bytes.len() => bytes[at] = random.below(256) as u8,
        1 => drop(bytes.drain(at..end)),
        2 => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(at + 1);
            bytes.splice(to..to, copy);
        }
        3 if random.below(8) == 0 => bytes.truncate(at),
        _ => drop(bytes.splice(at..at, SIGNS[random.below(SIGNS.len())].iter().copied())),
    }
}

/// Marsaglia's xorshift, 64 bits: repeatable, and good enough to choose changes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * bound) >> 32
    }
}
