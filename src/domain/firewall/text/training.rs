//! Makes the classifier's weights from the corpus: softmax regression over three classes.
//!
//! The same corpus gives the same bytes on every machine: fixed order, one thread, no library's
//! logarithms, and sums in one order. It runs by hand (`cargo run --release --example train-screen`)
//! and in the test that compares its bytes with the file in the repository; never in a gateway.
//!
//! What it says of itself is honest in one way only: each voice of the corpus is judged by weights
//! that were learned from other voices.

use super::classifier::{self, Classifier, MET_BITS, PLACES, Score, Settings};
use super::concepts::Concepts;
use super::features::{self, WINDOW_WORDS};
use super::fuel::{Fuel, OutOfFuel};
use super::lexicon::BadLexicon;
use super::words::{self, Lines, Token};
use super::{Finding, Lists, TextScreen, normalise};

/// Rounds over the corpus; the weights are the mean of the second half.
const ROUNDS: usize = 14;
const RATE: f64 = 0.35;
const BIAS_RATE: f64 = 0.02;
/// How strongly weights are drawn to zero.
const DECAY: f64 = 2e-4;
/// What a line counts that only looks like immigration: such lines teach most.
const HARD_WEIGHT: f64 = 1.5;
/// Lines that a feature must be in.
const LINES_MIN: u32 = 2;
const SEED: u64 = 4;
/// Groups of voices, each of which is held out once.
const FOLDS: usize = 6;
/// What one unit of the word list's weights adds, in thousandths.
const HINT: i32 = 300;
/// The screen may hold this share of held-out lines that tell nothing, in thousandths.
const ORDINARY_HELD_MAX: usize = 8;
const HARD_HELD_MAX: usize = 57;
/// Scores that are tried as the mark, in thousandths.
const HOLD_MARKS: std::ops::Range<i32> = -1_000..6_000;
const WEAK_MARKS: std::ops::Range<i32> = -6_000..-4_500;
const MARK_STEP: usize = 50;

/// What a line of the corpus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Explicit,
    Proxy,
    /// Nothing of the kind, but in words that look like it.
    Hard,
    Ordinary,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Explicit, Self::Proxy, Self::Hard, Self::Ordinary];

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "explicit" => Self::Explicit,
            "proxy" => Self::Proxy,
            "hard" => Self::Hard,
            "none" => Self::Ordinary,
            _ => return None,
        })
    }
}

/// One writer's lines.
pub struct Voice {
    pub name: String,
    lines: Vec<Line>,
}

struct Line {
    kind: Kind,
    text: String,
    tokens: Vec<Token>,
}

/// The corpus cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCorpus {
    #[error(
        "{voice}, line {line}: is not 'explicit', 'proxy', 'hard' or 'none', a tab, and a text"
    )]
    Line { voice: String, line: usize },
    #[error("a corpus needs two voices at least, or nothing can be held out")]
    OneVoice,
    #[error(transparent)]
    Lists(#[from] BadLexicon),
}

/// A line so long that its words cannot be counted; none is.
impl From<OutOfFuel> for BadCorpus {
    fn from(_: OutOfFuel) -> Self {
        Self::Lists(BadLexicon::TooLong)
    }
}

impl Voice {
    /// Reads lines of `label<TAB>text`.
    pub fn parse(name: &str, text: &str) -> Result<Self, BadCorpus> {
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let (kind, text) = line
                .split_once('\t')
                .and_then(|(label, text)| Some((Kind::parse(label)?, text)))
                .filter(|(_, text)| !text.trim().is_empty())
                .ok_or_else(|| BadCorpus::Line {
                    voice: name.to_owned(),
                    line: number,
                })?;
            lines.push(Line {
                kind,
                text: text.to_owned(),
                tokens: tokens(text)?,
            });
        }
        Ok(Self {
            name: name.to_owned(),
            lines,
        })
    }
}

/// The words of a text, without stops.
fn tokens(text: &str) -> Result<Vec<Token>, OutOfFuel> {
    let mut fuel = Fuel::new(u32::MAX);
    let folded = normalise::fold(&normalise::raw(text), &mut fuel)?;
    let mut tokens = words::tokens(&folded, Lines::Joined, &mut fuel)?;
    tokens.retain(|token| !token.is_stop());
    Ok(tokens)
}

/// How many of a voice's lines of a kind are held, when the voice was held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    pub kind: Kind,
    pub lines: usize,
    /// By the word list alone, by the classifier alone, and by the whole screen.
    pub listed: usize,
    pub learned: usize,
    pub held: usize,
}

/// Weights, and what they are worth.
pub struct Trained {
    /// The file `policies/screen/weights.bin`.
    pub weights: Vec<u8>,
    /// The score from which a sentence is held, in thousandths.
    pub hold_from: i32,
    /// The score from which a weak hit of the word list holds.
    pub weak_from: i32,
    /// Each voice when it was held out.
    pub held_out: Vec<(String, Vec<Tally>)>,
}

/// Learns from all voices, after it has learned without each of some groups of them to choose the
/// mark and to say how well the screen does on a voice that it does not know.
pub fn train(lists: &Lists<'_>, voices: &[Voice]) -> Result<Trained, BadCorpus> {
    if voices.len() < 2 {
        return Err(BadCorpus::OneVoice);
    }
    let concepts = Concepts::parse(lists.concepts)?;
    let alone = |weak_from| {
        TextScreen::parse(&Lists {
            weights: &classifier::silent(weak_from),
            ..*lists
        })
    };
    let (list_alone, strong_alone) = (alone(i32::MIN)?, alone(i32::MAX)?);
    let mut folds = Vec::new();
    for apart in voices.chunks(voices.len().div_ceil(FOLDS)) {
        let held_out = |voice: &&Voice| apart.iter().any(|one| one.name == voice.name);
        let others = voices.iter().filter(|voice| !held_out(voice));
        let learned = learn(&concepts, &others.collect::<Vec<_>>())?;
        let classifier = Classifier::parse(lists.concepts, &learned.file(Marks::NONE))?;
        for voice in apart {
            let mut trials = Vec::with_capacity(voice.lines.len());
            for line in &voice.lines {
                let words: Vec<&Token> = line.tokens.iter().collect();
                let score = classifier.score(&words, &mut Fuel::new(u32::MAX))?.held();
                let hints = list_alone.hints(&line.text)?;
                trials.push(Trial {
                    kind: line.kind,
                    alone: score,
                    score: score.saturating_add(hints.saturating_mul(HINT)),
                    listed: matches!(list_alone.read(&line.text), Finding::Held(_)),
                    strong: matches!(strong_alone.read(&line.text), Finding::Held(_)),
                });
            }
            folds.push((voice, learned.clone(), trials));
        }
    }
    let trials: Vec<&Trial> = folds.iter().flat_map(|(_, _, trials)| trials).collect();
    let marks = marks(&trials);
    let mut held_out = Vec::new();
    for (voice, learned, trials) in &folds {
        let screen = TextScreen::parse(&Lists {
            weights: &learned.file(marks),
            ..*lists
        })?;
        held_out.push((voice.name.clone(), tally(voice, trials, &screen, marks)));
    }
    let all: Vec<&Voice> = voices.iter().collect();
    Ok(Trained {
        weights: learn(&concepts, &all)?.file(marks),
        hold_from: marks.hold,
        weak_from: marks.weak,
        held_out,
    })
}

/// What was found of a line by weights that never saw its voice.
struct Trial {
    kind: Kind,
    /// Without and with the hints of the word list.
    alone: i32,
    score: i32,
    listed: bool,
    /// By what the list holds whatever the classifier says.
    strong: bool,
}

impl Trial {
    fn is_held(&self, marks: Marks) -> bool {
        let weak = self.alone >= marks.weak && (self.listed || self.score >= marks.hold);
        self.strong || weak || self.alone >= marks.hold
    }
}

/// The two scores that training chooses.
#[derive(Clone, Copy)]
struct Marks {
    hold: i32,
    weak: i32,
}

impl Marks {
    const NONE: Self = Self {
        hold: i32::MAX,
        weak: i32::MIN,
    };
}

/// The marks that hold most of what tells, and little of what tells nothing.
fn marks(trials: &[&Trial]) -> Marks {
    let held = |of: &[&&Trial], marks| of.iter().filter(|trial| trial.is_held(marks)).count();
    let of = |kind| -> Vec<&&Trial> { trials.iter().filter(|trial| trial.kind == kind).collect() };
    let (hard, ordinary) = (of(Kind::Hard), of(Kind::Ordinary));
    let telling: Vec<&&Trial> = [of(Kind::Explicit), of(Kind::Proxy)].concat();
    let few = |of: &[&&Trial], marks, most| held(of, marks) * 1_000 <= of.len() * most;
    WEAK_MARKS
        .step_by(MARK_STEP)
        .filter_map(|weak| {
            HOLD_MARKS
                .step_by(MARK_STEP)
                .map(|hold| Marks { hold, weak })
                .find(|marks| {
                    few(&hard, *marks, HARD_HELD_MAX) && few(&ordinary, *marks, ORDINARY_HELD_MAX)
                })
        })
        .max_by_key(|marks| held(&telling, *marks))
        .unwrap_or(Marks {
            hold: HOLD_MARKS.end,
            weak: WEAK_MARKS.end,
        })
}

fn tally(voice: &Voice, trials: &[Trial], screen: &TextScreen, marks: Marks) -> Vec<Tally> {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let of = || trials.iter().filter(|trial| trial.kind == kind);
            Tally {
                kind,
                lines: of().count(),
                listed: of().filter(|trial| trial.listed).count(),
                learned: of().filter(|trial| trial.score >= marks.hold).count(),
                held: voice
                    .lines
                    .iter()
                    .filter(|line| line.kind == kind)
                    .filter(|line| matches!(screen.read(&line.text), Finding::Held(_)))
                    .count(),
            }
        })
        .collect()
}

const CLASSES: usize = 3;

struct Example {
    class: usize,
    weight: f64,
    /// Those that more than one line has: one line alone teaches its own words by heart.
    places: Vec<usize>,
    /// What each counts: less in a line of many.
    value: f64,
}

/// What was learned, before the mark is known.
#[derive(Clone)]
struct Learned {
    settings: Settings,
    proxy: Vec<i8>,
    explicit: Vec<i8>,
    met: Vec<u8>,
}

impl Learned {
    fn file(&self, marks: Marks) -> Vec<u8> {
        let settings = Settings {
            hold_from: marks.hold,
            weak_from: marks.weak,
            hint: HINT,
            ..self.settings
        };
        classifier::file(settings, &self.proxy, &self.explicit, &self.met)
    }
}

fn learn(concepts: &Concepts, voices: &[&Voice]) -> Result<Learned, OutOfFuel> {
    let mut met = vec![0u8; MET_BITS / 8];
    let mut examples = Vec::new();
    for line in voices.iter().flat_map(|voice| &voice.lines) {
        for place in line
            .tokens
            .iter()
            .flat_map(|token| classifier::met_places(&token.text))
        {
            if let Some(byte) = met.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
        let words: Vec<&Token> = line.tokens.iter().take(2 * WINDOW_WORDS).collect();
        let places: Vec<usize> = features::features(&words, concepts, &mut Fuel::new(u32::MAX))?
            .into_iter()
            .filter_map(|place| usize::try_from(place).ok())
            .collect();
        let (class, weight) = match line.kind {
            Kind::Ordinary => (0, 1.0),
            Kind::Hard => (0, HARD_WEIGHT),
            Kind::Proxy => (1, 1.0),
            Kind::Explicit => (2, 1.0),
        };
        examples.push(Example {
            class,
            weight,
            value: 1.0 / (places.len().max(1) as f64).sqrt(),
            places,
        });
    }
    forget_rare(&mut examples);
    let (mut model, mut mean) = (Model::new(), Model::new());
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = SEED;
    for round in 0..ROUNDS {
        shuffle(&mut order, &mut random);
        for example in order.iter().filter_map(|at| examples.get(*at)) {
            model.learn(example);
        }
        if round >= ROUNDS / 2 {
            mean.add(&model);
        }
    }
    let (proxy, proxy_step, proxy_bias) = mean.table(1);
    let (explicit, explicit_step, explicit_bias) = mean.table(2);
    Ok(Learned {
        settings: Settings {
            bias: Score {
                proxy: proxy_bias,
                explicit: explicit_bias,
            },
            step: Score {
                proxy: proxy_step,
                explicit: explicit_step,
            },
            ..Settings::default()
        },
        proxy,
        explicit,
        met,
    })
}

/// Drops what only one line has.
fn forget_rare(examples: &mut [Example]) {
    let mut lines = vec![0u32; PLACES];
    for place in examples.iter().flat_map(|example| &example.places) {
        if let Some(count) = lines.get_mut(*place) {
            *count += 1;
        }
    }
    let is_common = |place: &usize| lines.get(*place).is_some_and(|count| *count >= LINES_MIN);
    for example in examples {
        example.places.retain(is_common);
    }
}

/// Weights of each place for nothing, proxy and explicit.
struct Model {
    weights: Vec<[f64; CLASSES]>,
    squares: Vec<[f64; CLASSES]>,
    bias: [f64; CLASSES],
}

impl Model {
    fn new() -> Self {
        Self {
            weights: vec![[0.0; CLASSES]; PLACES],
            squares: vec![[1e-3; CLASSES]; PLACES],
            bias: [0.0; CLASSES],
        }
    }

    /// One step of AdaGrad.
    fn learn(&mut self, example: &Example) {
        let value = example.value;
        let mut logits = self.bias;
        for weights in example
            .places
            .iter()
            .filter_map(|place| self.weights.get(*place))
        {
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += weight * value;
            }
        }
        let top = logits.iter().copied().fold(f64::MIN, f64::max);
        let powers = logits.map(|logit| exp(logit - top));
        let sum: f64 = powers.iter().sum();
        let mut slopes = [0.0; CLASSES];
        for (class, (slope, power)) in slopes.iter_mut().zip(powers).enumerate() {
            let target = if class == example.class { 1.0 } else { 0.0 };
            *slope = (power / sum - target) * example.weight;
        }
        for (bias, slope) in self.bias.iter_mut().zip(slopes) {
            *bias -= BIAS_RATE * slope;
        }
        for place in &example.places {
            let (Some(weights), Some(squares)) =
                (self.weights.get_mut(*place), self.squares.get_mut(*place))
            else {
                continue;
            };
            for ((weight, square), slope) in weights.iter_mut().zip(squares).zip(slopes) {
                let step = slope * value + DECAY * *weight;
                *square += step * step;
                *weight -= RATE * step / square.sqrt();
            }
        }
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.weights.iter_mut().zip(&other.weights) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        for (mine, theirs) in self.bias.iter_mut().zip(other.bias) {
            *mine += theirs;
        }
    }

    /// A class against nothing, as signed bytes; what a step of them is worth; and the bias.
    fn table(&self, class: usize) -> (Vec<i8>, i32, i32) {
        let rounds = (ROUNDS - ROUNDS / 2) as f64;
        let against = |weights: &[f64; CLASSES]| {
            let of = |class: usize| weights.get(class).copied().unwrap_or(0.0);
            (of(class) - of(0)) / rounds
        };
        let largest = self
            .weights
            .iter()
            .map(|weights| against(weights).abs())
            .fold(0.0, f64::max);
        // A whole number of thousandths, so that reading needs no fractions.
        let step = (largest * 1_000.0 / f64::from(i8::MAX)).ceil().max(1.0);
        let table = self
            .weights
            .iter()
            .map(|weights| (against(weights) * 1_000.0 / step).round() as i8)
            .collect();
        let bias = (against(&self.bias) * 1_000.0).round() as i32;
        (table, step as i32, bias)
    }
}

/// e to the power of a number that is not positive, by whole powers of two and a short series: a
/// library's own may differ in the last bit between machines.
fn exp(power: f64) -> f64 {
    if power < -700.0 {
        return 0.0;
    }
    let twos = (power / std::f64::consts::LN_2).round();
    let rest = power - twos * std::f64::consts::LN_2;
    let (mut term, mut sum) = (1.0, 1.0);
    for step in 1..=16 {
        term *= rest / f64::from(step);
        sum += term;
    }
    let exponent = (twos as i64 + 1_023).clamp(0, 2_046).cast_unsigned();
    sum * f64::from_bits(exponent << 52)
}

/// Fisher and Yates, by a small generator of our own (Knuth's MMIX).
fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let draw = usize::try_from(*random >> 33).unwrap_or(0);
        order.swap(last, draw % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! corpus {
        ($($voice:literal)+) => {
            [$((
                $voice,
                include_str!(concat!("../../../../policies/screen/corpus/", $voice, ".tsv")),
            )),+]
        };
    }

    const CORPUS: [(&str, &str); 22] = corpus!(
        "police" "health" "charity" "council" "courts" "wards" "refuges" "offices" "fields"
        "community" "formal" "frontline" "helpline" "schools" "ownwords" "casework" "housing"
        "surgery" "reports" "around" "emails" "notes"
    );

    #[test]
    #[cfg_attr(debug_assertions, ignore = "trains for minutes without optimisation")]
    fn the_weights_in_use_are_those_that_the_corpus_gives() {
        let voices: Vec<Voice> = CORPUS
            .iter()
            .map(|(name, text)| Voice::parse(name, text).unwrap())
            .collect();
        let trained = train(&Lists::BUILT_IN, &voices).unwrap();
        assert!(
            trained.weights == Lists::BUILT_IN.weights,
            "run: cargo run --release --example train-screen"
        );
    }

    #[test]
    fn the_corpus_has_no_line_twice_and_no_real_number() {
        let mut seen = std::collections::HashSet::new();
        for (name, text) in CORPUS {
            for line in text.lines() {
                let (_, text) = line.split_once('\t').unwrap();
                assert!(seen.insert(text.to_lowercase()), "{name}: twice: {text}");
                // Digits that only blanks and dashes part, as in a telephone number.
                let joined: String = text.chars().filter(|ch| !matches!(ch, ' ' | '-')).collect();
                for run in joined.split(|ch: char| !ch.is_ascii_digit()) {
                    assert!(
                        run.len() < 9 || run.contains("07700900"),
                        "{name}: a number that could be somebody's: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_line_without_a_label_is_named() {
        let error = Voice::parse("council", "none\tfine\nmaybe\ttext")
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "council, line 2: is not 'explicit', 'proxy', 'hard' or 'none', a tab, and a text"
        );
    }

    #[test]
    fn our_powers_of_e_are_those_of_everybody() {
        for power in [0.0, -0.3, -1.0, -7.5, -30.0, -690.0] {
            let (ours, theirs) = (exp(power), power.exp());
            assert!((ours - theirs).abs() <= theirs * 1e-12, "{power}");
        }
    }
}
