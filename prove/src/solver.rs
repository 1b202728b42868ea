//! One conversation with the solver, and several of them side by side. An answer that is not a
//! clear yes or no is an error, never "proved".

use std::process::Command;
use std::thread;

use cedar_policy::{Policy, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env};
use tokio::runtime::Runtime;

/// How long the solver may think about one question. The hardest takes a tenth of a second on a
/// quiet machine.
const QUESTION_MS_MAX: u32 = 60_000;
/// Conversations at once; each is a process.
const SOLVERS_MAX: usize = 4;

/// What went wrong while asking. For the person at the shell.
#[derive(Debug)]
pub struct Trouble(pub String);

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// One solver process, to ask for one kind of request at a time.
pub struct Solver<'a> {
    runtime: Runtime,
    compiler: CedarSymCompiler<LocalSolver>,
    schema: &'a Schema,
}

/// The name of the program to run, as the symbolic compiler itself finds it.
fn program() -> std::ffi::OsString {
    std::env::var_os("CVC5").unwrap_or_else(|| "cvc5".into())
}

/// Name and version of the solver, as `cvc5 1.0.3`.
pub fn version() -> Result<String, Trouble> {
    let missing = || {
        Trouble(
            "the solver cvc5 is missing: apt-get install cvc5, or name its program in CVC5"
                .to_owned(),
        )
    };
    let output = Command::new(program())
        .arg("--version")
        .output()
        .map_err(|_| missing())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .split_once("cvc5 version ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .ok_or_else(missing)?;
    Ok(format!("cvc5 {version}"))
}

impl<'a> Solver<'a> {
    pub fn start(schema: &'a Schema) -> Result<Self, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Trouble(error.to_string()))?;
        // `--tlimit` would limit the life of the process, not one question.
        let limit = format!("--tlimit-per={QUESTION_MS_MAX}");
        let compiler = runtime
            .block_on(async {
                CedarSymCompiler::new(LocalSolver::cvc5_with_args(["--strings-exp", &limit])?)
            })
            .map_err(|error| Trouble(format!("the solver cvc5 does not start: {error}")))?;
        Ok(Self {
            runtime,
            compiler,
            schema,
        })
    }

    pub fn compile(&self, set: &PolicySet, env: &RequestEnv) -> Result<CompiledPolicySet, Trouble> {
        CompiledPolicySet::compile(set, env, self.schema).map_err(trouble)
    }

    pub fn compile_one(&self, one: &Policy, env: &RequestEnv) -> Result<CompiledPolicy, Trouble> {
        CompiledPolicy::compile(one, env, self.schema).map_err(trouble)
    }

    /// A request that both allow.
    pub fn overlap(
        &mut self,
        one: &CompiledPolicySet,
        other: &CompiledPolicySet,
    ) -> Result<Option<Env>, Trouble> {
        self.runtime
            .block_on(
                self.compiler
                    .check_disjoint_with_counterexample_opt(one, other),
            )
            .map_err(trouble)
    }

    /// A request that `one` allows and `other` does not.
    pub fn beyond(
        &mut self,
        one: &CompiledPolicySet,
        other: &CompiledPolicySet,
    ) -> Result<Option<Env>, Trouble> {
        self.runtime
            .block_on(
                self.compiler
                    .check_implies_with_counterexample_opt(one, other),
            )
            .map_err(trouble)
    }

    pub fn equivalent(
        &mut self,
        one: &CompiledPolicySet,
        other: &CompiledPolicySet,
    ) -> Result<bool, Trouble> {
        self.runtime
            .block_on(self.compiler.check_equivalent_opt(one, other))
            .map_err(trouble)
    }

    pub fn denies_all(&mut self, set: &CompiledPolicySet) -> Result<bool, Trouble> {
        self.runtime
            .block_on(self.compiler.check_always_denies_opt(set))
            .map_err(trouble)
    }

    pub fn never_matches(&mut self, one: &CompiledPolicy) -> Result<bool, Trouble> {
        self.runtime
            .block_on(self.compiler.check_never_matches_opt(one))
            .map_err(trouble)
    }

    pub fn never_errors(&mut self, one: &CompiledPolicy) -> Result<bool, Trouble> {
        self.runtime
            .block_on(self.compiler.check_never_errors_opt(one))
            .map_err(trouble)
    }
}

fn trouble(error: cedar_policy_symcc::err::Error) -> Trouble {
    Trouble(format!("the solver gave no clear answer: {error}"))
}

/// Does `work` for each item, on several solvers at once; the results in the order of the items.
pub fn each<T: Sync, R: Send>(
    schema: &Schema,
    items: &[T],
    work: impl Fn(&mut Solver<'_>, &T) -> Result<R, Trouble> + Sync,
) -> Result<Vec<R>, Trouble> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(SOLVERS_MAX);
    let work = &work;
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let started: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut solver = Solver::start(schema)?;
                    let mut done = Vec::new();
                    for (index, item) in items.iter().enumerate().skip(worker).step_by(workers) {
                        done.push((index, work(&mut solver, item)?));
                    }
                    Ok(done)
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in started {
            let died = |_| Trouble("a worker died".to_owned());
            all.extend(worker.join().map_err(died)??);
        }
        Ok::<_, Trouble>(all)
    })?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
