//! Her word that less be shared, what follows from it, and her card, as services send them.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{IdentityIn, Secret, Wrong};
use crate::domain::codes::{DataClass, LawfulKeeping, Purpose, StopUseReply, WithdrawalScope};
use crate::domain::id::ServiceId;
use crate::domain::journey::stop_use::Said;
use crate::domain::journey::withdrawing::Wish;
use crate::domain::person::FieldError;

/// She withdraws. One of `identity`, `person` and `card_code`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalIn {
    pub identity: Option<IdentityIn>,
    /// Your own reference of the person.
    pub person: Option<String>,
    /// The withdrawal code of her card, 12 letters and digits.
    pub card_code: Option<Secret>,
    pub scope: String,
    #[serde(default)]
    pub services: Vec<String>,
    #[serde(default)]
    pub classes: Vec<String>,
    #[serde(default)]
    pub purposes: Vec<String>,
    /// `in_person`, `telephone` or `card`.
    pub channel: Option<String>,
    /// He may be making her say it, or you cannot tell who calls: in force at once like any other, and
    /// over after 72 hours unless you confirm it. The reply is the same.
    #[serde(default)]
    pub pause: bool,
}

impl WithdrawalIn {
    /// `services` stay names here; the pipeline knows who runs them.
    pub fn wish(&self) -> Result<(Wish, Vec<ServiceId>), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let scope = wrong.maybe(
            "scope",
            Some(&self.scope),
            WithdrawalScope::Everything,
            WithdrawalScope::parse,
        );
        let services = wrong.codes("services", &self.services, |text| {
            ServiceId::parse(text).ok()
        });
        let wish = Wish {
            scope,
            organisations: Vec::new(),
            pause: self.pause,
            classes: wrong.codes("classes", &self.classes, DataClass::parse),
            purposes: wrong.codes("purposes", &self.purposes, Purpose::parse),
            channel: wrong.maybe(
                "channel",
                self.channel.as_ref(),
                "in_person".to_owned(),
                |code| {
                    ["in_person", "telephone", "card"]
                        .contains(&code)
                        .then(|| code.to_owned())
                },
            ),
        };
        let missing = match scope {
            WithdrawalScope::Everything => None,
            WithdrawalScope::Service if services.is_empty() => Some("services"),
            WithdrawalScope::Class if wish.classes.is_empty() => Some("classes"),
            WithdrawalScope::Purpose if wish.purposes.is_empty() => Some("purposes"),
            WithdrawalScope::Service | WithdrawalScope::Class | WithdrawalScope::Purpose => None,
        };
        if let Some(field) = missing {
            wrong.add(field, "say which she wants to stop");
        }
        let named = [
            self.identity.is_some(),
            self.person.is_some(),
            self.card_code.is_some(),
        ];
        if named.into_iter().filter(|named| *named).count() != 1 {
            wrong.add(
                "identity",
                "give her identity, your reference of her or the code of her card, one of the three",
            );
        }
        wrong.finish((wish, services))
    }
}

/// A card for a person of your own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardIn {
    /// Your own reference of the person.
    pub person: String,
}

/// A pause is confirmed: it was her word.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmIn {}

/// A pause is lifted: it was not her word.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftIn {
    /// You asked her where nobody could hear or press her.
    #[serde(default)]
    pub asked_her_safely: bool,
}

/// What became of what you were shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopUseReplyIn {
    /// `deleted`, `restricted`, `kept_by_law` or `not_found`.
    pub reply: String,
    /// With `kept_by_law`: which law.
    pub ground: Option<String>,
}

impl StopUseReplyIn {
    pub fn parse(&self) -> Result<Said, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let code = wrong.code("reply", &self.reply, StopUseReply::parse);
        let ground = self
            .ground
            .as_ref()
            .and_then(|code| wrong.code("ground", code, LawfulKeeping::parse));
        let by_law = code == Some(StopUseReply::KeptByLaw);
        if code.is_some() && by_law != self.ground.is_some() {
            wrong.add("ground", "say by which law it is kept, and only then");
        }
        let code = code.unwrap_or(StopUseReply::Restricted);
        wrong.finish(Said { code, ground })
    }
}
