//! A hand that has no mouse: what a test wants of the page is reached with Tab, and done with Space,
//! Enter, arrows and letters, as somebody does who cannot point.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Browser, ELEMENT};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SHIFT: &str = "\u{e008}";
const CONTROL: &str = "\u{e009}";
const SPACE: &str = " ";
const DELETE: &str = "\u{e017}";
const UP: &str = "\u{e013}";
const DOWN: &str = "\u{e015}";

/// How often the way to an element is looked at anew: a stop that was not foreseen, such as a box that
/// scrolls, costs one.
const TRIES: usize = 12;

/// The way from where the focus is to what is wanted: how many stops of the Tab key (`null`: none leads
/// there), what kind of control it is, how many arrows from the focus on, and whether it is chosen. A
/// label stands for its control and an option for its list; of radio buttons that belong together Tab
/// reaches one, and arrows the rest.
const WAY: &str = "
    const wanted = arguments[0], now = document.activeElement;
    const group = (one) => one.type === 'radio' ? [...document.querySelectorAll('input[type=radio]')]
        .filter((other) => other.name === one.name && other.form === one.form) : [one];
    const target = wanted.tagName === 'LABEL' ? wanted.control : wanted.closest('select') ?? wanted;
    const kinds = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex=\"0\"]';
    const stop = (one) => one === (group(one).find((other) => other.checked) ?? group(one)[0]);
    const way = () => {
        if (group(target).includes(now)) return 0;
        const all = [...document.querySelectorAll(kinds)].filter((one) => !one.disabled && stop(one)
            && one.checkVisibility({ visibilityProperty: true }));
        const to = all.findIndex((one) => group(one).includes(target));
        if (to < 0) return null;
        if (now === document.body) return to + 1;
        const after = (one) => now.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
        const next = all.findIndex(after);
        const ahead = next < 0 ? all.length : next;
        if (to >= ahead) return to - ahead + 1;
        return to - (ahead - (group(now).some((one) => all.includes(one)) ? 1 : 0));
    };
    if (wanted.tagName === 'OPTION')
        return [way(), 'select', wanted.index - target.selectedIndex, wanted.selected];
    if (target.type === 'radio') {
        const all = group(target);
        return [way(), 'radio', all.indexOf(target) - all.indexOf(now), target.checked];
    }
    const kind = target.type === 'checkbox' ? 'checkbox' : target.tagName.toLowerCase();
    return [way(), kind, 0, false];";

impl Browser {
    /// From here on nothing is pointed at.
    pub fn puts_the_mouse_away(&self) {
        self.keys_only.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_keys_only(&self) -> bool {
        self.keys_only.load(Ordering::Relaxed)
    }

    async fn run_on(&self, script: &str, element: &str) -> Value {
        let body = json!({ "script": script, "args": [{ ELEMENT: element }] });
        self.ask("POST", "/execute/sync", body).await
    }

    /// Goes to an element with the Tab key; back to one that lies behind. What kind of control it is,
    /// and how many arrows it is from the focus on.
    async fn reaches(&self, element: &str) -> (String, i64) {
        for _ in 0..TRIES {
            let way = self.run_on(WAY, element).await;
            let Some(stops) = way[0].as_i64() else { break };
            let many = usize::try_from(stops.unsigned_abs()).unwrap();
            match stops {
                0 => {
                    return (
                        way[1].as_str().unwrap().to_owned(),
                        way[2].as_i64().unwrap(),
                    );
                }
                1.. => self.keys(&vec![TAB; many]).await,
                _ => self.held(SHIFT, &vec![TAB; many]).await,
            }
        }
        let html = self.run_on("return arguments[0].outerHTML;", element).await;
        let at = self.run("return document.activeElement.outerHTML;").await;
        let url = self.url().await;
        panic!("{url}: the Tab key does not reach {html}, but {at}");
    }

    /// Presses, ticks or chooses an element.
    pub(super) async fn presses(&self, element: &str) {
        let (kind, arrows) = self.reaches(element).await;
        let arrow = if arrows < 0 { UP } else { DOWN };
        let many = usize::try_from(arrows.unsigned_abs()).unwrap();
        match (kind.as_str(), many) {
            ("radio", 0) | ("checkbox" | "summary", _) => self.keys(&[SPACE]).await,
            ("radio" | "select", _) => self.keys(&vec![arrow; many]).await,
            _ => self.keys(&[ENTER]).await,
        }
        if matches!(kind.as_str(), "radio" | "select") {
            let way = self.run_on(WAY, element).await;
            assert_eq!(way[3], true, "{kind} is not chosen: {way}");
        }
    }

    /// Types into a field; what was in it goes.
    pub(super) async fn types(&self, element: &str, value: &str) {
        self.reaches(element).await;
        self.held(CONTROL, &["a"]).await;
        let letters: Vec<String> = value.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        self.keys(&[&[DELETE], letters.as_slice()].concat()).await;
        let typed = self.run_on("return arguments[0].value;", element).await;
        assert_eq!(typed, value);
    }

    /// Presses keys while another is held down.
    async fn held(&self, held: &str, keys: &[&str]) {
        let key = |kind: &str, key: &str| json!({ "type": kind, "value": key });
        let mut all = vec![key("keyDown", held)];
        for one in keys {
            all.extend(["keyDown", "keyUp"].map(|kind| key(kind, one)));
        }
        all.push(key("keyUp", held));
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": all }] });
        self.ask("POST", "/actions", actions).await;
    }
}
