//! Flame graphs: what stacks weigh, as a tree of functions.
//!
//! The tree has what each process weighs in each coarse stretch of time, so that the page can lay it out anew for
//! a part of the recording. Libraries for flame graphs draw one picture and keep no such weights; hence the tree.

use std::collections::{BTreeMap, HashMap};

use analyzer::{Session, weight};
use serde::Serialize;

use crate::axis::{Axis, COARSE};
use crate::clean::Cleaner;
use crate::error::Error;
use crate::names::{Names, Processes};
use crate::rows::{self, integer, text};

/// The flame graphs of the page: weight, title, unit, job.
const GRAPHS: [(&str, &str, &str, &str); 5] = [
    ("cpu-time", "Where the CPU time goes", "ns", "performance"),
    ("offcpu-time", "Where threads wait off the CPU", "ns", "performance"),
    ("allocated-bytes", "Who asks for memory", "bytes", "memory"),
    ("leaked-bytes", "Who does not give memory back", "bytes", "memory"),
    ("faults", "Who touches new pages", "count", "memory"),
];

/// Stacks that are told apart in a graph; what the others weigh is told as one.
const STACKS_MAX: usize = 1_000;

/// Frames of a stack, from the outermost on.
const DEPTH_MAX: usize = 60;

/// A frame that is narrower than this part of the graph cannot be seen, nor its callees.
const NARROW: f64 = 0.0008;

/// Rectangles that are drawn; more would make the page slow.
const DRAWN_MAX: usize = 1_500;

/// Letters of a function's name.
const NAME_MAX: usize = 120;

/// What stands for stacks that are not told apart.
const OTHER: &str = "(other stacks)";

/// A flame graph.
#[derive(Debug, Serialize)]
pub struct Graph {
    /// The weight.
    pub id: String,
    /// Title.
    #[serde(skip)]
    pub title: String,
    /// The unit of weights.
    pub unit: String,
    /// The job that it is of.
    #[serde(skip)]
    pub job: String,
    /// Names of functions.
    pub frames: Vec<String>,
    /// Of each node, its parent; the first is the root, and a node comes after its parent.
    pub parents: Vec<usize>,
    /// Of each node, the number of its function.
    pub functions: Vec<usize>,
    /// Node, name, coarse stretch, weight of stacks that end there; again and again.
    pub cells: Vec<i64>,
    /// Stacks that are not told apart.
    #[serde(skip)]
    pub more: usize,
    /// What was weighed altogether, and what of it has no stack.
    #[serde(skip)]
    pub without: i64,
    #[serde(skip)]
    drawn: Vec<Drawn>,
}

/// A rectangle of the picture; lengths are parts of the whole.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Its node.
    pub node: usize,
    /// How deep: 0 is the root.
    pub depth: usize,
    /// Where it begins.
    pub x: f64,
    /// How wide it is.
    pub width: f64,
    /// What it weighs.
    pub weight: i64,
}

/// Reads all graphs for which there are stacks; of the others, what to record.
pub fn read(
    session: &Session,
    axis: &Axis,
    processes: &Processes,
    names: &Names,
    clean: &Cleaner,
) -> Result<Vec<Graph>, Error> {
    let mut graphs = Vec::new();
    for (id, title, unit, job) in GRAPHS {
        let Some(known) = weight(id) else { continue };
        if !session.is_recorded(&known.table) || !session.is_recorded("stacks") {
            continue;
        }
        let weights = weights(session, axis, processes, names, known.query.sql)?;
        if weights.stacks.is_empty() {
            continue;
        }
        let mut graph = Graph {
            id: id.to_string(),
            title: title.to_string(),
            unit: unit.to_string(),
            job: job.to_string(),
            frames: Vec::new(),
            parents: vec![0],
            functions: vec![0],
            cells: Vec::new(),
            more: 0,
            without: weights.without,
            drawn: Vec::new(),
        };
        graph.grow(session, axis, weights, clean)?;
        graph.lay_out();
        graphs.push(graph);
    }
    Ok(graphs)
}

/// What a stack weighs, by name and coarse stretch.
type Cells = BTreeMap<(usize, usize), i64>;

struct Weights {
    stacks: BTreeMap<(String, i64), Cells>,
    without: i64,
}

fn weights(
    session: &Session,
    axis: &Axis,
    processes: &Processes,
    names: &Names,
    sql: &str,
) -> Result<Weights, Error> {
    let sql = format!(
        "SELECT host, stack_id, upid, slot, CAST(sum(weight) AS BIGINT) FROM (\n\
         SELECT host, stack_id, upid, weight, (CAST(ts AS BIGINT) - $first) / ($width * {COARSE}) AS slot\n\
         FROM (\n{sql}\n) AS events) AS placed\n\
         GROUP BY host, stack_id, upid, slot ORDER BY host, stack_id, upid, slot"
    );
    let mut weights = Weights { stacks: BTreeMap::new(), without: 0 };
    for row in rows::all(session, &sql, axis)? {
        let [host, stack, upid, slot, weight] = row.as_slice() else { continue };
        let (Some(host), Some(weight)) = (text(host), integer(weight)) else { continue };
        let Some(stack) = integer(stack) else {
            weights.without = weights.without.saturating_add(weight);
            continue;
        };
        let name = names.series(processes.name(Some(host), integer(upid)));
        let slot = axis.slot(integer(slot).unwrap_or(0).saturating_mul(COARSE as i64)) / COARSE;
        let cells = weights.stacks.entry((host.to_string(), stack)).or_default();
        let sum = cells.entry((name, slot)).or_default();
        *sum = sum.saturating_add(weight);
    }
    weights.stacks.retain(|_, cells| cells.values().any(|weight| *weight > 0));
    Ok(weights)
}

fn sum(cells: &Cells) -> i64 {
    cells.values().fold(0i64, |sum, weight| sum.saturating_add(*weight))
}

/// The texts of some stacks, by machine and id.
fn folded(
    session: &Session,
    axis: &Axis,
    wanted: &[(String, i64)],
) -> Result<HashMap<(String, i64), String>, Error> {
    let mut texts = HashMap::new();
    for ids in wanted.chunks(500) {
        let ids: Vec<String> = ids.iter().map(|(_, id)| id.to_string()).collect();
        let sql = format!(
            "SELECT host, stack_id, folded FROM stacks WHERE stack_id IN ({}) ORDER BY host, stack_id, folded",
            ids.join(", ")
        );
        for row in rows::all(session, &sql, axis)? {
            let [host, id, folded] = row.as_slice() else { continue };
            let (Some(host), Some(id), Some(folded)) = (text(host), integer(id), text(folded))
            else {
                continue;
            };
            texts.insert((host.to_string(), id), folded.to_string());
        }
    }
    Ok(texts)
}

impl Graph {
    /// Makes the tree.
    fn grow(
        &mut self,
        session: &Session,
        axis: &Axis,
        weights: Weights,
        clean: &Cleaner,
    ) -> Result<(), Error> {
        let mut stacks: Vec<((String, i64), Cells)> = weights.stacks.into_iter().collect();
        stacks.sort_by(|a, b| sum(&b.1).cmp(&sum(&a.1)).then_with(|| a.0.cmp(&b.0)));
        let rest = stacks.split_off(stacks.len().min(STACKS_MAX));
        self.more = rest.len();
        let wanted: Vec<(String, i64)> = stacks.iter().map(|(key, _)| key.clone()).collect();
        let texts = folded(session, axis, &wanted)?;
        let mut functions: HashMap<String, usize> = HashMap::new();
        let mut children: HashMap<(usize, usize), usize> = HashMap::new();
        let mut cells: BTreeMap<(usize, usize, usize), i64> = BTreeMap::new();
        self.function(&mut functions, "all");
        let told = stacks.iter().map(|(key, cells)| (texts.get(key).map(String::as_str), cells));
        let others = rest.iter().map(|(_, cells)| (Some(OTHER), cells));
        for (folded, weights) in told.chain(others) {
            let folded = folded.filter(|folded| !folded.is_empty()).unwrap_or("[unknown]");
            let mut node = 0;
            for frame in folded.split(';').take(DEPTH_MAX) {
                let frame = self.function(&mut functions, &clean.escape(frame));
                node = *children.entry((node, frame)).or_insert_with(|| {
                    self.parents.push(node);
                    self.functions.push(frame);
                    self.parents.len() - 1
                });
            }
            for ((name, slot), weight) in weights {
                let sum = cells.entry((node, *name, *slot)).or_default();
                *sum = sum.saturating_add(*weight);
            }
        }
        let number = |n: usize| i64::try_from(n).unwrap_or(0);
        self.cells = cells
            .iter()
            .flat_map(|((node, name, slot), weight)| {
                [number(*node), number(*name), number(*slot), *weight]
            })
            .collect();
        Ok(())
    }

    fn function(&mut self, known: &mut HashMap<String, usize>, name: &str) -> usize {
        let name: String = match name.chars().count() > NAME_MAX {
            true => name.chars().take(NAME_MAX - 1).chain(['…']).collect(),
            false => name.to_string(),
        };
        if let Some(index) = known.get(&name) {
            return *index;
        }
        let index = self.frames.len();
        self.frames.push(name.clone());
        known.insert(name, index);
        index
    }

    /// What each node weighs with all below it.
    fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0i64; self.parents.len()];
        for cell in self.cells.chunks_exact(4) {
            let node = usize::try_from(cell[0]).unwrap_or(0);
            totals[node] = totals[node].saturating_add(cell[3]);
        }
        for node in (1..totals.len()).rev() {
            let parent = self.parents[node];
            totals[parent] = totals[parent].saturating_add(totals[node]);
        }
        totals
    }

    /// Says where each frame lies. Those side by side are in the order of their names, so that graphs of two parts
    /// of a recording can be compared.
    fn lay_out(&mut self) {
        let totals = self.totals();
        let all = totals[0].max(1) as f64;
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); totals.len()];
        for node in 1..totals.len() {
            children[self.parents[node]].push(node);
        }
        for nodes in &mut children {
            nodes.sort_by_key(|node| (&self.frames[self.functions[*node]], *node));
        }
        let mut drawn = Vec::new();
        let mut waiting = vec![(0usize, 0usize, 0.0f64)];
        while let Some((node, depth, x)) = waiting.pop() {
            let width = totals[node] as f64 / all;
            if width < NARROW && node > 0 {
                continue;
            }
            drawn.push(Drawn { node, depth, x, width, weight: totals[node] });
            let mut at = x;
            for child in &children[node] {
                waiting.push((*child, depth + 1, at));
                at += totals[*child] as f64 / all;
            }
        }
        if drawn.len() > DRAWN_MAX {
            drawn.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.node.cmp(&b.node)));
            drawn.truncate(DRAWN_MAX);
        }
        drawn.sort_by_key(|drawn| drawn.node);
        self.drawn = drawn;
    }

    /// The rectangles of the picture.
    pub fn drawn(&self) -> &[Drawn] {
        &self.drawn
    }

    /// The weight of everything.
    pub fn total(&self) -> i64 {
        self.drawn.first().map_or(0, |root| root.weight)
    }

    /// Nodes of the tree that are not drawn.
    pub fn hidden(&self) -> usize {
        self.parents.len() - self.drawn.len()
    }

    /// The name of a node's function.
    pub fn name(&self, node: usize) -> &str {
        &self.frames[self.functions[node]]
    }
}
