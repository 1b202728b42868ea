//! The second factor, and what a person proves herself with.

use crate::domain::attempt::Attempt;
use crate::domain::decision::Aggregate;
use crate::domain::device::{Ceremony, Devices};
use crate::domain::journey::devices::{Act, devices};
use crate::domain::journey::signing_in::{self, Shown};
use crate::domain::known::Known;
use crate::domain::passkey::Site;
use crate::store::Fault;

use super::{Answered, Gateway};

impl Gateway {
    /// A session, if the code is right and fresh.
    pub async fn second_factor(&self, attempt: Attempt, code: &str) -> Result<Answered, Fault> {
        self.shown(attempt, Shown::Code(code)).await
    }

    /// A session, if the reply of her browser is from a passkey of hers that was asked for.
    pub async fn shown_passkey(
        &self,
        attempt: Attempt,
        site: &Site,
        reply: &str,
    ) -> Result<Answered, Fault> {
        self.shown(attempt, Shown::Passkey(site, reply)).await
    }

    async fn shown(&self, attempt: Attempt, shown: Shown<'_>) -> Result<Answered, Fault> {
        self.run(attempt, &[], |rules, attempt, known, keys| {
            signing_in::second_factor(rules, attempt, known, keys, shown)
        })
        .await
    }

    /// Asks for one of the caller's passkeys.
    pub async fn ask_passkey(&self, attempt: Attempt) -> Result<Answered, Fault> {
        let held = self.held(&attempt).await?;
        let site = self.passkeys.as_ref();
        let asked = site.and_then(|site| site.ask(held.passkeys()));
        self.run(attempt, &[], |rules, attempt, known, keys| {
            signing_in::ask_passkey(rules, attempt, known, keys, asked.as_ref())
        })
        .await
    }

    /// Begins with one more passkey of the caller's, under a name of her own.
    pub async fn add_passkey(&self, attempt: Attempt, name: &str) -> Result<Answered, Fault> {
        let asked = self.asks_for_new(&attempt).await?;
        self.devices(attempt, &Act::AddPasskey(name, asked.as_ref()))
            .await
    }

    /// What else she does with her devices.
    pub async fn devices(&self, attempt: Attempt, act: &Act<'_>) -> Result<Answered, Fault> {
        self.run(attempt, &[], |rules, attempt, known, keys| {
            devices(rules, attempt, known, keys, act)
        })
        .await
    }

    /// Its challenge is drawn here: a decision draws nothing.
    async fn asks_for_new(&self, attempt: &Attempt) -> Result<Option<Ceremony>, Fault> {
        let held = self.held(attempt).await?;
        let (own, user) = (attempt.organisation(), attempt.user.as_str());
        let handle = self.rules.load().passkey_handle(own, user);
        let site = self.passkeys.as_ref();
        let name = format!("{own}/{user}");
        Ok(site.and_then(|site| site.register(handle, &name, held.passkeys())))
    }

    async fn held(&self, attempt: &Attempt) -> Result<Devices, Fault> {
        let (own, user) = (attempt.organisation().clone(), attempt.user.as_str());
        let mut known = Known::default();
        let of = Aggregate::User(own.clone(), user.to_owned());
        self.read(&mut known, &[of]).await?;
        let user = known.users.remove(&(own, user.to_owned()));
        Ok(user.map(|user| user.devices).unwrap_or_default())
    }
}
