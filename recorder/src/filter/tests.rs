//! What filters become, and how they are refused.

use super::*;

fn clauses(text: &str) -> Vec<Vec<(u32, u32, u32, u32)>> {
    let filter = PacketFilter::parse(Some(text), &[]).unwrap_or_else(|error| panic!("{error}"));
    let program = filter.expect("there is an expression").program;
    let terms = program.terms.chunks(TERMS_MAX).take(program.clauses as usize);
    terms
        .map(|clause| {
            let used = clause.iter().take_while(|term| term.operation != 0);
            used.map(|term| (term.operation, term.sides, term.low, term.negated)).collect()
        })
        .collect()
}

fn message(text: &str) -> String {
    PacketFilter::parse(Some(text), &[]).expect_err(text).to_string()
}

#[test]
fn words_become_alternatives_of_conditions() {
    let (port, protocol, tcp, udp) = (2, 3, 6, 17);
    assert_eq!(
        clauses("tcp dst port 80 or udp and not (port 53 or src port 123)"),
        [
            vec![(protocol, 3, tcp, 0), (port, 2, 80, 0)],
            vec![(protocol, 3, udp, 0), (port, 3, 53, 1), (port, 1, 123, 1)],
        ]
    );
    assert_eq!(clauses("!(tcp and port 1)"), [[(protocol, 3, tcp, 1)], [(port, 3, 1, 1)]]);
    assert_eq!(clauses("not not icmpv6"), [[(protocol, 3, 58, 0)]]);
    assert_eq!(clauses("src 10.0.0.1"), clauses("src host 10.0.0.1"));
    assert_eq!(clauses("(tcp)and(port 1)"), clauses("tcp && port 1"));
}

#[test]
fn networks_of_both_versions_have_their_masks() {
    let term = |text| {
        let filter = PacketFilter::parse(Some(text), &[]).unwrap().unwrap();
        (filter.program.terms[0].address, filter.program.terms[0].mask)
    };
    let (address, mask) = term("net 10.0.0.0/8");
    assert_eq!(address[10..], [0xff, 0xff, 10, 0, 0, 0]);
    assert_eq!(mask[..], [&[0xff; 13][..], &[0; 3]].concat());
    assert_eq!(term("net ::/0").1, [0; 16]);
    assert_eq!(term("host fe80::1").1, [0xff; 16]);
    assert_eq!(term("net 1.2.3.4").1, [0xff; 16]);
}

#[test]
fn an_error_points_at_the_word_that_is_wrong() {
    let shown = message("host 10.0.0.1 and prot 80");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1], "  host 10.0.0.1 and prot 80");
    assert_eq!(lines[2].find('^'), lines[1].find("prot"));
    for (text, at) in [
        ("", 0),
        ("tcp or", 6),
        ("port", 4),
        ("port 65536", 5),
        ("portrange 9-1", 10),
        ("host www.example.org", 5),
        ("host 10.0.0.0/8", 5),
        ("net 10.0.0.1/8", 4),
        ("net 10.0.0.0/33", 4),
        ("(tcp", 4),
        ("tcp)", 3),
        ("tcp udp", 4),
        ("src", 3),
        ("é tcp", 0),
        ("tcp é", 4),
        ("interface a-name-of-16-byte", 10),
    ] {
        let shown = message(text);
        let caret = shown.lines().last().and_then(|line| line.find('^'));
        assert_eq!(caret, Some(at + 2), "{shown}");
    }
    message(&"(".repeat(1000));
    message(&"not ".repeat(100_000));
}

#[test]
fn what_the_kernel_side_cannot_hold_is_refused() {
    let ports = |count| (0..count).map(|port| format!("port {port}")).collect::<Vec<_>>();
    assert_eq!(clauses(&ports(8).join(" or ")).len(), 8);
    assert!(message(&ports(9).join(" or ")).contains("more than 8"));
    assert_eq!(clauses(&ports(8).join(" and "))[0].len(), 8);
    assert!(message(&ports(9).join(" and ")).contains("more than 8"));
    let factor = |from| format!("({})", ports(from + 3)[from..].join(" or "));
    assert!(message(&[0, 3, 6].map(factor).join(" and ")).contains("more than 8"));
}

#[test]
fn interfaces_are_alternatives_beside_the_expression() {
    let names = ["eth0".to_string(), "eth1".to_string()];
    let filter = PacketFilter::parse(Some("tcp"), &names).unwrap().unwrap();
    assert_eq!(filter.program.clauses, 2);
    assert_eq!(filter.program.terms[TERMS_MAX].address[..5], *b"eth1\0");
    assert!(PacketFilter::parse(None, &[]).unwrap().is_none());
    let nowhere = PacketFilter::parse(Some("interface nosuch0"), &[]).unwrap().unwrap();
    let error = nowhere.check_interfaces().expect_err("there is none").to_string();
    assert!(error.contains("`nosuch0`"), "{error}");
    let loopback = PacketFilter::parse(Some("interface lo"), &[]).unwrap().unwrap();
    loopback.check_interfaces().expect("every machine has it");
}
