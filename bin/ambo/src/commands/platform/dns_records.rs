//! The records that lead a domain's users to the platform. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ambo_operator::dns::RoutedNode;
use serde::Serialize;

/// How long resolvers may keep the addresses that people write down, in seconds: as long as a node that is gone is still asked.
const ADDRESS_TTL: u32 = 60;
/// How long they may keep the delegation, in seconds: it changes only with the nodes.
const DELEGATION_TTL: u32 = 3600;

/// For whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// Without a dot at the end.
    pub(super) domain: String,
    /// To be used instead of the nodes' own.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) nodes: Vec<RoutedNode>,
    /// Whether the nodes answer DNS for the domain.
    pub(super) is_delegable: bool,
}

/// What to set: one of both.
#[derive(Debug, Serialize)]
pub(super) struct Records {
    pub(super) domain: String,
    /// In the domain's own zone.
    pub(super) records: Vec<Record>,
    /// In the zone above, when the nodes answer for the domain themselves.
    pub(super) delegation: Vec<Record>,
}

/// A line of a zone file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Record {
    pub(super) name: String,
    /// In seconds.
    pub(super) ttl: u32,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) value: String,
}

/// Plans them.
pub(super) fn records(wish: &Wish) -> Records {
    let apex = format!("{}.", wish.domain);
    let addresses = addresses(wish);
    let mut records = Vec::new();
    for name in [apex.clone(), format!("*.{apex}")] {
        records.extend(addresses.iter().map(|address| Record::address(&name, ADDRESS_TTL, *address)));
    }
    let delegation = if wish.is_delegable { delegation(&apex, &wish.nodes) } else { Vec::new() };
    Records { domain: wish.domain.clone(), records, delegation }
}

/// Each once; nodes that are being emptied only when there are no others.
fn addresses(wish: &Wish) -> Vec<IpAddr> {
    if !wish.addresses.is_empty() {
        return unique(wish.addresses.iter());
    }
    let staying = unique(wish.nodes.iter().filter(|node| !node.is_leaving).flat_map(|node| &node.public));
    if staying.is_empty() { unique(wish.nodes.iter().flat_map(|node| &node.public)) } else { staying }
}

fn unique<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> Vec<IpAddr> {
    let mut seen = BTreeSet::new();
    addresses.copied().filter(|address| seen.insert(*address)).collect()
}

/// The name servers, and where they are: the zone that would say so is their own.
fn delegation(apex: &str, nodes: &[RoutedNode]) -> Vec<Record> {
    let servers = || {
        let nodes = nodes.iter().filter(|node| node.is_name_server);
        nodes.map(|node| (format!("{}.ns.{apex}", node.label), &node.public))
    };
    let names = servers().map(|(value, _)| Record { name: apex.to_owned(), ttl: DELEGATION_TTL, kind: "NS", value });
    let glue = servers()
        .flat_map(|(name, public)| public.iter().map(move |address| Record::address(&name, DELEGATION_TTL, *address)));
    names.chain(glue).collect()
}

impl Record {
    fn address(name: &str, ttl: u32, address: IpAddr) -> Self {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        Self { name: name.to_owned(), ttl, kind, value: address.to_string() }
    }
}

impl Records {
    /// Addresses that lead nowhere from elsewhere.
    pub(super) fn private(&self) -> BTreeSet<IpAddr> {
        let addresses = self.records.iter().filter_map(|record| record.value.parse().ok());
        addresses.filter(is_private).collect()
    }
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

/// As a zone file: the words are comments in it.
impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = &self.domain;
        if self.delegation.is_empty() {
            writeln!(
                f,
                "; Set these where {domain} is hosted: they lead every host of the platform and of its apps to the"
            )?;
            writeln!(f, "; nodes. When a node comes or goes for good, set them anew.")?;
        } else {
            writeln!(
                f,
                "; Either let the platform answer for {domain} itself, which leaves a dead node out within seconds:"
            )?;
            writeln!(f, "; set these in the zone above it, and nothing else for {domain}.")?;
            lines(f, &self.delegation)?;
            writeln!(
                f,
                "\n; Or set these where {domain} is hosted, and set them anew when a node comes or goes for good."
            )?;
        }
        lines(f, &self.records)?;
        writeln!(f, "\n; An app's own domain, wherever that is hosted, is a CNAME to the app's host:")?;
        writeln!(f, "; www.example.org.  {DELEGATION_TTL}  IN  CNAME  APP.{domain}.")
    }
}

fn lines(f: &mut fmt::Formatter<'_>, records: &[Record]) -> fmt::Result {
    let width = records.iter().map(|record| record.name.len()).max().unwrap_or(0);
    for Record { name, ttl, kind, value } in records {
        writeln!(f, "{name:width$}  {ttl:<4}  IN  {kind:<4}  {value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8, public: &[&str]) -> RoutedNode {
        RoutedNode {
            label: format!("n{number}"),
            address: IpAddr::from([10, 0, 0, number]),
            public: public.iter().map(|address| address.parse().unwrap()).collect(),
            is_name_server: !public.is_empty(),
            is_leaving: false,
        }
    }

    fn wish() -> Wish {
        Wish {
            domain: "apps.example.com".to_owned(),
            nodes: vec![node(1, &["203.0.113.1", "2001:db8::1"]), node(2, &["203.0.113.2"]), node(3, &[])],
            ..Wish::default()
        }
    }

    #[test]
    fn a_zone_file_leads_the_domain_and_all_below_it_to_every_node() {
        insta::assert_snapshot!(records(&wish()), @r"
        ; Set these where apps.example.com is hosted: they lead every host of the platform and of its apps to the
        ; nodes. When a node comes or goes for good, set them anew.
        apps.example.com.    60    IN  A     203.0.113.1
        apps.example.com.    60    IN  AAAA  2001:db8::1
        apps.example.com.    60    IN  A     203.0.113.2
        *.apps.example.com.  60    IN  A     203.0.113.1
        *.apps.example.com.  60    IN  AAAA  2001:db8::1
        *.apps.example.com.  60    IN  A     203.0.113.2

        ; An app's own domain, wherever that is hosted, is a CNAME to the app's host:
        ; www.example.org.  3600  IN  CNAME  APP.apps.example.com.
        ");
    }

    #[test]
    fn where_nodes_answer_dns_the_domain_can_be_delegated_to_them() {
        insta::assert_snapshot!(records(&Wish { is_delegable: true, ..wish() }), @r"
        ; Either let the platform answer for apps.example.com itself, which leaves a dead node out within seconds:
        ; set these in the zone above it, and nothing else for apps.example.com.
        apps.example.com.        3600  IN  NS    n1.ns.apps.example.com.
        apps.example.com.        3600  IN  NS    n2.ns.apps.example.com.
        n1.ns.apps.example.com.  3600  IN  A     203.0.113.1
        n1.ns.apps.example.com.  3600  IN  AAAA  2001:db8::1
        n2.ns.apps.example.com.  3600  IN  A     203.0.113.2

        ; Or set these where apps.example.com is hosted, and set them anew when a node comes or goes for good.
        apps.example.com.    60    IN  A     203.0.113.1
        apps.example.com.    60    IN  AAAA  2001:db8::1
        apps.example.com.    60    IN  A     203.0.113.2
        *.apps.example.com.  60    IN  A     203.0.113.1
        *.apps.example.com.  60    IN  AAAA  2001:db8::1
        *.apps.example.com.  60    IN  A     203.0.113.2

        ; An app's own domain, wherever that is hosted, is a CNAME to the app's host:
        ; www.example.org.  3600  IN  CNAME  APP.apps.example.com.
        ");
    }

    #[test]
    fn a_load_balancers_address_is_used_instead_of_the_nodes() {
        let records = records(&Wish { addresses: vec!["198.51.100.1".parse().unwrap()], ..wish() });
        insta::assert_json_snapshot!(records.records, @r#"
        [
          {
            "name": "apps.example.com.",
            "ttl": 60,
            "type": "A",
            "value": "198.51.100.1"
          },
          {
            "name": "*.apps.example.com.",
            "ttl": 60,
            "type": "A",
            "value": "198.51.100.1"
          }
        ]
        "#);
    }

    #[test]
    fn a_node_that_is_being_emptied_is_left_out_while_others_stay() {
        let mut wish = wish();
        wish.nodes[0].is_leaving = true;
        assert!(records(&wish).records.iter().all(|record| record.value == "203.0.113.2"));
        wish.nodes[1].is_leaving = true;
        assert_eq!(records(&wish).records.len(), 6);
    }

    #[test]
    fn private_addresses_are_told_apart() {
        let wish = Wish { addresses: vec!["10.0.0.1".parse().unwrap(), "203.0.113.1".parse().unwrap()], ..wish() };
        assert_eq!(records(&wish).private(), BTreeSet::from(["10.0.0.1".parse().unwrap()]));
    }
}
