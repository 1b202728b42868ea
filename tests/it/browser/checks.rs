//! What every page must be, looked at in a browser: fit for a screen reader, a keyboard, a telephone
//! and a bad line.
//!
//! Rules of WCAG 2.2 at A and AA that a program can check are axe-core's, in light and in dark; that
//! the rest is right takes a person.

use std::fs;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::Browser;

/// The most that a page may weigh: a telephone in a valley.
const PAGE_BYTES_MAX: u64 = 100_000;
/// A page is looked at in a window of so many CSS pixels; 1,280 at 400 % are 320 (WCAG 1.4.10).
const NARROW: [(u32, u32, u32); 3] = [(320, 640, 1), (320, 256, 4), (1280, 900, 1)];

/// Set by hand to a directory: each page that is looked at is pictured there, for a person to look at.
const PICTURES: &str = "FIREDOOR_PICTURES";

/// How many boxes of a page may scroll by themselves.
const SCROLLING_MAX: usize = 12;

const AXE: &str = "
    const done = arguments[arguments.length - 1];
    const each = (one) => one.id + ': ' + one.nodes.map((node) =>
        node.html.slice(0, 200) + ' ' + node.failureSummary).join(' | ');
    axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })
        .then((found) => done(found.violations.map(each)), (error) => done([String(error)]));";

/// What sticks out of the window and makes it scroll sideways. What scrolls inside its own box does
/// not.
const SIDEWAYS: &str = "
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return [];
    return [...document.querySelectorAll('body *')]
        .filter((one) => !one.closest('.table') && one.getBoundingClientRect().right > wide + 1)
        .map((one) => one.outerHTML.slice(0, 120)).concat(['the page is wider than its window']);";

/// Lines, letters and words as far apart as a reader may set them (WCAG 1.4.12).
const SPACED: &str = "
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important;'
        + 'word-spacing: .16em !important } p { margin-bottom: 2em !important }');
    document.adoptedStyleSheets = [sheet];";
const SPACED_NO_MORE: &str = "document.adoptedStyleSheets = [];";

/// What cuts its own text off. What is hidden from the eye on purpose is one pixel wide.
const CUT: &str = "
    const cuts = (one, style, axis, has, shows) =>
        ['hidden', 'clip'].includes(style[axis]) && one[has] > one[shows] + 1;
    return [...document.querySelectorAll('body *')].filter((one) => {
        const style = getComputedStyle(one);
        return one.clientWidth > 1 && one.innerText
            && (cuts(one, style, 'overflowX', 'scrollWidth', 'clientWidth')
                || cuts(one, style, 'overflowY', 'scrollHeight', 'clientHeight'));
    }).map((one) => one.outerHTML.slice(0, 120));";

/// In colours that the reader forces on all pages, what can be pressed or filled in has an edge or a
/// line under it still, and nothing keeps colours of its own.
const EDGELESS: &str = "
    const kinds = 'button,input:not([type=hidden]),select,textarea,main a[href]';
    const edge = (style) => style.borderTopStyle !== 'none' && parseFloat(style.borderTopWidth) >= 1
        || style.textDecorationLine.includes('underline') || style.appearance === 'auto';
    const wrong = (one, style) => style.forcedColorAdjust === 'none'
        || one.matches(kinds) && one.checkVisibility() && !edge(style);
    return [...document.querySelectorAll('body *')].filter((one) => !one.closest('svg'))
        .filter((one) => wrong(one, getComputedStyle(one))).map((one) => one.outerHTML.slice(0, 120));";

/// What moves by itself or on its way, though the reader asked that nothing does.
const MOVING: &str = "
    const moves = (style) => style.animationName !== 'none'
        || style.transitionDuration.split(',').some((time) => parseFloat(time) > 0);
    return [...document.querySelectorAll('*')].filter((one) => moves(getComputedStyle(one)))
        .map((one) => one.outerHTML.slice(0, 120));";

/// Each control that a keyboard must reach, and a record of what it does reach.
const CONTROLS: &str = "
    const kinds = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex=\"0\"]';
    const others = (one) => [...document.querySelectorAll('input[type=radio]')]
        .filter((other) => other.name === one.name && other.form === one.form);
    // Of radio buttons that belong together one is reached; arrows reach the rest.
    const first = (one) => one.type !== 'radio'
        || one === (others(one).find((other) => other.checked) ?? others(one)[0]);
    const shown = (one) => !one.disabled && one.checkVisibility({ visibilityProperty: true });
    const all = [...document.querySelectorAll(kinds)].filter((one) => shown(one) && first(one));
    const reached = [];
    window.lookedAt = { all, reached };
    document.addEventListener('focusin', (event) => {
        const style = getComputedStyle(event.target);
        const box = event.target.getBoundingClientRect();
        const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
        const seen = ring && box.width > 0 && box.height > 0 && box.right > 0;
        reached.push([all.indexOf(event.target), seen, event.target.outerHTML.slice(0, 120)]);
    });
    // From the top of the page, whatever had the focus.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
    window.scrollTo(0, 0);
    return all.map((one) => one.outerHTML.slice(0, 120));";

impl Browser {
    /// Fails with all that is wrong with the page that is shown. Needs script; the page stays.
    pub async fn is_fit(&self) {
        if let Some(directory) = std::env::var_os(PICTURES) {
            self.pictured(Path::new(&directory)).await;
        }
        let wrong = self.faults().await;
        assert!(
            wrong.is_empty(),
            "{}: {}",
            self.url().await,
            wrong.join("\n")
        );
    }

    /// All that is wrong with the page that is shown.
    pub async fn faults(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for dark in [false, true] {
            self.dark(dark).await;
            for found in self.violations().await {
                wrong.push(format!("dark: {dark}: {found}"));
            }
        }
        for (feature, value, script) in [
            ("forced-colors", "active", EDGELESS),
            ("prefers-reduced-motion", "reduce", MOVING),
        ] {
            self.prefers(feature, value).await;
            let found = self.script_list(script).await;
            wrong.extend(found.into_iter().map(|found| format!("{feature}: {found}")));
        }
        self.dark(false).await;
        for (width, height, scale) in NARROW {
            self.window(width, height, scale).await;
            for (spaced, set) in [("", SPACED_NO_MORE), (" spaced", SPACED)] {
                self.run(set).await;
                for script in [SIDEWAYS, CUT] {
                    let found = self.script_list(script).await;
                    let says = |found: String| format!("{width} px at {scale}{spaced}: {found}");
                    wrong.extend(found.into_iter().map(says));
                }
            }
        }
        self.run(SPACED_NO_MORE).await;
        wrong.extend(self.keyboard().await);
        let bytes =
            self.run("return performance.getEntriesByType('navigation')[0].decodedBodySize;");
        let bytes = bytes.await.as_u64().unwrap();
        if bytes >= PAGE_BYTES_MAX {
            wrong.push(format!("the page has {bytes} bytes"));
        }
        let headings = self
            .run("return document.querySelectorAll('h1').length;")
            .await;
        if headings != 1 {
            wrong.push(format!(
                "the page has {headings} headings of the first rank"
            ));
        }
        wrong
    }

    /// The whole page on a desk in light, and on a telephone in the dark, under its address without
    /// what is random in it.
    async fn pictured(&self, directory: &Path) {
        let url = self.url().await;
        let parts = url.split(['/', '?']).skip(3);
        let named = parts.map(|part| if part.len() > 24 { "id" } else { part });
        let name = format!("page {}", named.collect::<Vec<_>>().join(" "));
        let count = fs::read_dir(directory).unwrap().count();
        for (what, dark, width) in [("desk", false, 1_280), ("telephone", true, 320)] {
            self.dark(dark).await;
            self.window(width, 900, 1).await;
            let height = "return document.documentElement.scrollHeight;";
            let height = self.run(height).await;
            let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
            let whole = json!({ "captureBeyondViewport": true, "clip": clip });
            let taken = self.devtools("Page.captureScreenshot", whole).await;
            let png = BASE64_STANDARD.decode(taken["data"].as_str().unwrap());
            let file = format!("{count:03} {what} {}.png", name.trim());
            fs::write(directory.join(file), png.unwrap()).unwrap();
        }
    }

    /// What axe-core finds.
    async fn violations(&self) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let axe = root.join("target/outside/node/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(&axe).unwrap_or_else(|_| {
            panic!(
                "{} is not there: run tests/run once, or tests/outside/install alone",
                axe.display()
            )
        });
        self.run(&axe).await;
        let found = self.run_async(AXE).await;
        texts(&found)
    }

    /// What a keyboard does not reach, in the order of the page, or reaches unseen.
    async fn keyboard(&self) -> Vec<String> {
        let controls = self.script_list(CONTROLS).await;
        // More than there are: a box that scrolls is reached besides.
        let tabs = vec!["\u{e004}"; controls.len() + SCROLLING_MAX];
        self.keys(&tabs).await;
        let reached = self.run("return window.lookedAt.reached;").await;
        let mut wrong = Vec::new();
        let mut order = Vec::new();
        for stop in reached.as_array().unwrap() {
            let Ok(index) = usize::try_from(stop[0].as_i64().unwrap()) else {
                continue;
            };
            // Round again.
            if order.contains(&index) {
                break;
            }
            if stop[1] == false {
                wrong.push(format!("the focus cannot be seen: {}", stop[2]));
            }
            order.push(index);
        }
        if !order.is_sorted() {
            wrong.push(format!("reached out of order: {order:?} of {controls:?}"));
        }
        let missed = controls.iter().enumerate();
        let missed = missed.filter(|(index, _)| !order.contains(index));
        let missed: Vec<&String> = missed.map(|(_, html)| html).collect();
        if !missed.is_empty() {
            wrong.push(format!("a keyboard does not reach: {missed:?}"));
        }
        wrong
    }

    async fn script_list(&self, script: &str) -> Vec<String> {
        texts(&self.run(script).await)
    }

    /// The window in CSS pixels, and how many pixels of the screen each takes.
    pub async fn window(&self, width: u32, height: u32, scale: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    pub async fn dark(&self, dark: bool) {
        let theme = if dark { "dark" } else { "light" };
        self.prefers("prefers-color-scheme", theme).await;
    }

    async fn prefers(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }
}

fn texts(value: &Value) -> Vec<String> {
    let list = value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"));
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    list.iter().map(text).collect()
}
