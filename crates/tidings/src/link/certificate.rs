//! What is wrong with a broker's certificate. Librdkafka says `certificate verify failed` for a
//! wrong authority, a wrong name and an old certificate alike, so the handshake is done once more
//! by ourselves: nothing but a handshake, no password and no certificate of ours goes along.

use super::security::Security;

/// Without OpenSSL there is nothing to look at, and no certificate could have been refused.
#[cfg(not(feature = "tls"))]
impl Security {
    pub(super) fn examine(&self, _sentence: &mut String, _reason: &str) {}
}

#[cfg(feature = "tls")]
impl Security {
    /// Makes the sentence exact, where the handshake shows how.
    pub(super) fn examine(&self, sentence: &mut String, reason: &str) {
        let broker = self.broker(reason);
        if !reason.contains("verif") {
            return;
        }
        if let Some(fault) = handshake::fault(broker, self.ca.name(), self.ca.value()) {
            *sentence = self.exact(broker, &fault);
        }
    }

    fn exact(&self, broker: &str, fault: &handshake::Fault) -> String {
        let handshake::Fault { verdict, subject, issuer, names, until } = fault;
        let is = |codes: &[i32]| codes.contains(&verdict.as_raw());
        let certificate = format!("the certificate of {broker} ({subject}, issued by {issuer})");
        // The numbers are OpenSSL's X509_V_ERR_..., which never change.
        let (not_yet, expired, name, address) = (9, 10, 62, 64);
        if is(&[expired]) {
            return format!("{certificate} was valid until {until}: the broker needs a new one");
        }
        if is(&[not_yet]) {
            return format!("{certificate} is not valid yet: compare the clocks");
        }
        if is(&[name, address]) {
            return format!(
                "{certificate} is for {names} and not for this name: use one of them in \
                 `bootstrap` and in the broker's `advertised.listeners`, or have one issued for \
                 this name"
            );
        }
        let words = verdict.error_string();
        match self.ca.is_given() {
            true => format!(
                "{certificate} is not trusted ({words}): {} does not hold the authority that \
                 signed it",
                self.ca
            ),
            false => format!(
                "{certificate} is not trusted ({words}): set `ssl.ca.location` to the PEM file of \
                 the authority that signed it"
            ),
        }
    }
}

#[cfg(feature = "tls")]
mod handshake {
    use std::net::{TcpStream, ToSocketAddrs};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use openssl::error::ErrorStack;
    use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
    use openssl::x509::{X509, X509NameRef, X509Ref, X509VerifyResult};

    /// A broker that has just refused a handshake is near.
    const LIMIT: Duration = Duration::from_secs(3);

    /// The first thing that is wrong.
    #[derive(Clone)]
    pub(super) struct Fault {
        pub(super) verdict: X509VerifyResult,
        pub(super) subject: String,
        pub(super) issuer: String,
        pub(super) names: String,
        pub(super) until: String,
    }

    pub(super) fn fault(broker: &str, ca_name: &str, ca: &str) -> Option<Fault> {
        let (host, _) = broker.rsplit_once(':')?;
        let socket = broker.to_socket_addrs().ok()?.next()?;
        let stream = TcpStream::connect_timeout(&socket, LIMIT).ok()?;
        stream.set_read_timeout(Some(LIMIT)).ok()?;
        stream.set_write_timeout(Some(LIMIT)).ok()?;
        let found = Arc::new(Mutex::new(None));
        let connector = connector(ca_name, ca, Arc::clone(&found)).ok()?;
        // It fails: that is why it is done.
        let _ = connector.connect(host.trim_matches(['[', ']']), stream);
        found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connector(
        ca_name: &str,
        ca: &str,
        found: Arc<Mutex<Option<Fault>>>,
    ) -> Result<SslConnector, ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if ca_name.ends_with(".pem") {
            for authority in X509::stack_from_pem(ca.as_bytes())? {
                builder.cert_store_mut().add_cert(authority)?;
            }
        } else if !ca.is_empty() {
            builder.set_ca_file(ca)?;
        }
        builder.set_verify_callback(SslVerifyMode::PEER, move |is_good, context| {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            if let (false, None, Some(certificate)) =
                (is_good, found.as_ref(), context.current_cert())
            {
                *found = Some(describe(certificate, context.error()));
            }
            is_good
        });
        Ok(builder.build())
    }

    fn describe(certificate: &X509Ref, verdict: X509VerifyResult) -> Fault {
        let names = certificate.subject_alt_names().map(|names| {
            let one = |name: &openssl::x509::GeneralNameRef| {
                let address = name.ipaddress().and_then(address);
                name.dnsname().map(str::to_owned).or(address)
            };
            names.iter().filter_map(one).collect::<Vec<_>>().join(", ")
        });
        let subject = common_name(certificate.subject_name());
        Fault {
            verdict,
            names: names.unwrap_or_else(|| subject.clone()),
            subject,
            issuer: common_name(certificate.issuer_name()),
            until: certificate.not_after().to_string(),
        }
    }

    fn address(bytes: &[u8]) -> Option<String> {
        let four = <[u8; 4]>::try_from(bytes).map(|b| std::net::Ipv4Addr::from(b).to_string());
        let sixteen = <[u8; 16]>::try_from(bytes).map(|b| std::net::Ipv6Addr::from(b).to_string());
        four.or(sixteen).ok()
    }

    fn common_name(name: &X509NameRef) -> String {
        let entry = name.entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
        let text = entry.and_then(|entry| entry.data().to_string().ok());
        text.map_or_else(|| "no name".to_owned(), |text| format!("CN={text}"))
    }
}
