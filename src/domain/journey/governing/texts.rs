//! The texts that a change of governance brings in, all of them, so that none can hold the name of
//! those who enforce immigration law (F1).

use crate::domain::firewall::names::immigration_enforcement_name;
use crate::domain::organisation::{Agreement, Certificate, Organisation, Service, Team};

/// The texts that a change brings in.
#[derive(Default)]
pub struct Texts<'a>(Vec<&'a str>);

impl<'a> Texts<'a> {
    pub fn add(&mut self, text: &'a str) {
        self.0.push(text);
    }

    pub fn organisation(&mut self, organisation: &'a Organisation) {
        self.add(organisation.id.as_str());
        self.add(&organisation.name);
        self.0.extend(organisation.duty_line.as_deref());
        for (kind, value) in &organisation.identifiers {
            self.add(kind);
            self.add(value);
        }
        self.0.extend(organisation.areas.iter().map(String::as_str));
        for team in &organisation.teams {
            self.team(team);
        }
        for certificate in &organisation.certificates {
            self.certificate(certificate);
        }
        for agreement in &organisation.agreements {
            self.agreement(agreement);
        }
    }

    pub fn team(&mut self, team: &'a Team) {
        self.add(team.id.as_str());
        self.add(&team.name);
        self.0
            .extend(team.attestation.iter().map(|said| said.by.as_str()));
    }

    pub fn certificate(&mut self, certificate: &'a Certificate) {
        self.add(certificate.team.as_str());
        self.0.extend(certificate.user.as_deref());
    }

    pub fn agreement(&mut self, agreement: &'a Agreement) {
        self.add(&agreement.reference);
        let areas = agreement
            .standing
            .iter()
            .flat_map(|standing| &standing.areas);
        self.0.extend(areas.map(String::as_str));
    }

    pub fn service(&mut self, service: &'a Service) {
        self.add(service.id.as_str());
        self.add(service.organisation.as_str());
        self.add(service.team.as_str());
        self.add(&service.public_name);
        self.0.extend(service.area.as_deref());
        self.0.extend(service.dos_service_id.as_deref());
    }

    pub fn any_enforcement(&self) -> bool {
        self.0.iter().any(|text| immigration_enforcement_name(text))
    }
}
