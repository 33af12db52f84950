//! What the domain holds: the addresses of routers at its apex and at every name below, its SOA, its name servers. Pure.
//!
//! In the words of RFC 1034 and 4592: `<domain>`, `*.<domain>` and `ns.<domain>` have the routers' addresses, `<label>.ns.<domain>`
//! those of one node. So a name does not exist only below `ns.<domain>`; everywhere else what is missing is a type.

use std::net::IpAddr;
use std::time::Duration;

use ambo_model::Hostname;
use hickory_server::proto::ProtoError;
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{A, AAAA, NS, SOA};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};

use crate::health::Told;

/// How long resolvers may keep routers' addresses, and that there is none of a type.
pub const ADDRESS_TTL: Duration = Duration::from_secs(5);
/// How long resolvers may keep the name servers and their addresses.
pub const NAME_SERVER_TTL: Duration = Duration::from_secs(300);

/// One zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    apex: Name,
    /// Below which the name servers are.
    servers: Name,
    /// Of routers' addresses, in seconds.
    ttl: u32,
}

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    /// Whether it is about our zone.
    pub(crate) is_authoritative: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
}

/// Whose a name is.
enum Owner<'a> {
    /// The routers'; whether it is the zone's own name as well.
    Routers { is_apex: bool },
    /// One node's.
    NameServer(&'a [IpAddr]),
    /// Nobody's.
    Nobody,
    /// Another zone's.
    Elsewhere,
}

impl Zone {
    /// The zone of this domain. `ttl` is that of routers' addresses, in whole seconds.
    ///
    /// # Errors
    /// When the domain leaves no room for the names below it.
    pub(crate) fn new(domain: &Hostname, ttl: Duration) -> Result<Self, ProtoError> {
        let mut apex = Name::from_ascii(domain.as_str())?;
        apex.set_fqdn(true);
        let servers = apex.prepend_label("ns")?;
        Ok(Self { apex, servers, ttl: seconds(ttl) })
    }

    /// The answer to a question. `turn` begins the addresses with another one each time.
    pub(crate) fn reply(&self, name: &Name, kind: RecordType, told: &Told, turn: usize) -> Reply {
        let owner = self.owner(name, told);
        let refused = Reply { code: ResponseCode::Refused, ..Reply::default() };
        if matches!(owner, Owner::Elsewhere) || matches!(kind, RecordType::AXFR | RecordType::IXFR) {
            return refused;
        }
        if told.v4.is_empty() && told.v6.is_empty() {
            // No list yet: another name server may have one, and nobody shall remember that there is nothing.
            return Reply { code: ResponseCode::ServFail, ..Reply::default() };
        }
        let reply = Reply { is_authoritative: true, ..Reply::default() };
        let answered = match owner {
            Owner::Routers { is_apex: true } if kind == RecordType::SOA => {
                Reply { answers: vec![self.soa(told)], ..reply }
            }
            Owner::Routers { is_apex: true } if kind == RecordType::NS => {
                Reply { answers: self.name_servers(told), additional: self.glue(told), ..reply }
            }
            Owner::Routers { .. } => Reply { answers: self.routers(name, kind, told, turn), ..reply },
            Owner::NameServer(addresses) => Reply { answers: node(name, kind, addresses), ..reply },
            Owner::Nobody | Owner::Elsewhere => Reply { code: ResponseCode::NXDomain, ..reply },
        };
        if answered.answers.is_empty() {
            return Reply { authority: vec![self.soa(told)], ..answered };
        }
        answered
    }

    fn owner<'a>(&self, name: &Name, told: &'a Told) -> Owner<'a> {
        if !self.apex.zone_of(name) {
            return Owner::Elsewhere;
        }
        if *name == self.servers || !self.servers.zone_of(name) {
            return Owner::Routers { is_apex: *name == self.apex };
        }
        let is_label = |label: &str| self.server(label).is_some_and(|known| known == *name);
        match told.name_servers.iter().find(|(label, _)| is_label(label)) {
            Some((_, addresses)) => Owner::NameServer(addresses),
            None => Owner::Nobody,
        }
    }

    /// The name of a node's name server.
    fn server(&self, label: &str) -> Option<Name> {
        self.servers.prepend_label(label).ok()
    }

    fn routers(&self, name: &Name, kind: RecordType, told: &Told, turn: usize) -> Vec<Record> {
        let v4 = told.v4.iter().copied().map(IpAddr::from);
        let v6 = told.v6.iter().copied().map(IpAddr::from);
        let mut addresses: Vec<IpAddr> =
            v4.chain(v6).filter(|address| is_asked(kind, address, !told.v4.is_empty())).collect();
        if let Some(first) = turn.checked_rem(addresses.len()) {
            addresses.rotate_left(first);
        }
        addresses.into_iter().map(|address| record(name, self.ttl, address)).collect()
    }

    fn name_servers(&self, told: &Told) -> Vec<Record> {
        let names = told.name_servers.iter().filter_map(|(label, _)| self.server(label));
        names.map(|name| Record::from_rdata(self.apex.clone(), seconds(NAME_SERVER_TTL), RData::NS(NS(name)))).collect()
    }

    /// The addresses of the name servers.
    fn glue(&self, told: &Told) -> Vec<Record> {
        let named = told.name_servers.iter().filter_map(|(label, addresses)| Some((self.server(label)?, addresses)));
        let records = named.flat_map(|(name, addresses)| {
            addresses.iter().map(|address| record(&name, seconds(NAME_SERVER_TTL), *address)).collect::<Vec<_>>()
        });
        records.collect()
    }

    fn soa(&self, told: &Told) -> Record {
        let first = told.name_servers.first().and_then(|(label, _)| self.server(label));
        let main = first.unwrap_or_else(|| self.servers.clone());
        let mail = self.apex.prepend_label("hostmaster").unwrap_or_else(|_| self.apex.clone());
        // Nobody copies this zone: the number that says that it has changed, and when to look again, are of no use.
        let soa = SOA::new(main, mail, 1, 3600, 600, 86400, self.ttl);
        Record::from_rdata(self.apex.clone(), self.ttl, RData::SOA(soa))
    }
}

/// The addresses of one node.
fn node(name: &Name, kind: RecordType, addresses: &[IpAddr]) -> Vec<Record> {
    let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
    let asked = addresses.iter().filter(|address| is_asked(kind, address, has_v4));
    asked.map(|address| record(name, seconds(NAME_SERVER_TTL), *address)).collect()
}

/// Whether an address is of the type that is asked for. Asked for any, one type is enough (RFC 8482, section 4.1).
fn is_asked(kind: RecordType, address: &IpAddr, has_v4: bool) -> bool {
    match kind {
        RecordType::A => address.is_ipv4(),
        RecordType::AAAA => address.is_ipv6(),
        RecordType::ANY => address.is_ipv4() == has_v4,
        _ => false,
    }
}

fn record(name: &Name, ttl: u32, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name.clone(), ttl, data)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told {
            v4: vec!["203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap()],
            v6: vec![],
            name_servers: vec![("n1".to_owned(), vec!["203.0.113.1".parse().unwrap()])],
        }
    }

    fn reply(name: &str, kind: RecordType) -> Reply {
        let zone = Zone::new(&Hostname::parse("apps.example.com").unwrap(), ADDRESS_TTL).unwrap();
        zone.reply(&Name::from_ascii(name).unwrap(), kind, &told(), 0)
    }

    /// Code, how many answers, whether an SOA says for how long there is none.
    fn shape(name: &str, kind: RecordType) -> (ResponseCode, usize, bool) {
        let reply = reply(name, kind);
        let has_soa = reply.authority.iter().any(|record| record.record_type() == RecordType::SOA);
        (reply.code, reply.answers.len(), has_soa)
    }

    #[test]
    fn the_domain_and_every_name_below_it_have_the_routers_addresses() {
        for name in [
            "apps.example.com.",
            "shop.apps.example.com.",
            "SHOP.Apps.example.com.",
            "a.b.apps.example.com.",
            "ns.apps.example.com.",
        ] {
            assert_eq!(shape(name, RecordType::A), (ResponseCode::NoError, 2, false), "{name}");
        }
        assert_eq!(shape("apps.example.com.", RecordType::ANY), (ResponseCode::NoError, 2, false));
    }

    #[test]
    fn a_type_that_is_missing_is_no_missing_name() {
        for (name, kind) in [
            ("shop.apps.example.com.", RecordType::AAAA),
            ("apps.example.com.", RecordType::MX),
            ("_acme-challenge.shop.apps.example.com.", RecordType::TXT),
            ("shop.apps.example.com.", RecordType::SOA),
            ("n1.ns.apps.example.com.", RecordType::AAAA),
        ] {
            assert_eq!(shape(name, kind), (ResponseCode::NoError, 0, true), "{name} {kind}");
        }
    }

    #[test]
    fn a_name_server_that_is_not_there_does_not_exist() {
        assert_eq!(shape("n1.ns.apps.example.com.", RecordType::A), (ResponseCode::NoError, 1, false));
        for name in ["n9.ns.apps.example.com.", "x.n1.ns.apps.example.com."] {
            assert_eq!(shape(name, RecordType::A), (ResponseCode::NXDomain, 0, true), "{name}");
        }
    }

    #[test]
    fn other_zones_and_copies_of_ours_are_refused() {
        for name in ["example.com.", "example.org.", "xapps.example.com.", "."] {
            let reply = reply(name, RecordType::A);
            assert_eq!((reply.code, reply.is_authoritative), (ResponseCode::Refused, false), "{name}");
        }
        assert_eq!(reply("apps.example.com.", RecordType::AXFR).code, ResponseCode::Refused);
    }

    #[test]
    fn a_server_that_has_no_list_yet_does_not_say_that_there_is_nothing() {
        let zone = Zone::new(&Hostname::parse("example.com").unwrap(), ADDRESS_TTL).unwrap();
        let reply = zone.reply(&Name::from_ascii("example.com.").unwrap(), RecordType::A, &Told::default(), 0);
        assert_eq!(reply.code, ResponseCode::ServFail);
    }

    #[test]
    fn each_turn_begins_with_another_address_and_none_is_kept_for_long() {
        let zone = Zone::new(&Hostname::parse("example.com").unwrap(), ADDRESS_TTL).unwrap();
        let name = Name::from_ascii("example.com.").unwrap();
        let first = |turn| zone.reply(&name, RecordType::A, &told(), turn).answers[0].clone();
        assert_ne!(first(0), first(1));
        assert_eq!(first(0), first(2));
        assert_eq!(first(0).ttl, 5);
    }
}
