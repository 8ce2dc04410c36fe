//! The gated GNN's gradients.

use super::super::super::graph::Distances;
use super::super::dense::through_relu;
use super::tape::{Event, Tape};
use super::{GatedGnn, Gates, Message, Order, Products};

impl GatedGnn {
    /// Goes back through a run on the same graph. `adjoint` holds a loss's derivatives by the resulting
    /// states, `[N, C]`; those by the features come back, and those by the weights are added to `gradients`.
    pub fn backward(
        &self,
        tape: &Tape,
        distances: &Distances,
        adjoint: Vec<f32>,
        gradients: &mut Self,
    ) -> Vec<f32> {
        let order = Order::of(distances);
        let mut way = Way {
            gnn: self,
            direct: Told::new(adjoint.len()),
            virtual_edges: Told::new(adjoint.len()),
            states: adjoint,
            heard: vec![0.0; self.width],
            gates: Gates::new(self.width),
            changes: Products::new(self.width),
            gradients,
        };
        let mut updates = order.updates(distances).rev();
        let c = self.width;
        let (mut heard, mut before) = (tape.heard.rchunks(c), tape.before.rchunks(c));
        let mut refreshed = tape.refreshed.rchunks(c);
        for event in tape.events.iter().rev() {
            match event {
                Event::Refresh(u) => {
                    let Some(state) = refreshed.next() else { break };
                    way.refresh(*u, state);
                }
                Event::Update => {
                    let (Some(heard), Some(before)) = (heard.next(), before.next()) else {
                        break;
                    };
                    let Some((v, lengths)) = updates.next() else {
                        break;
                    };
                    way.update(v, lengths, heard, before);
                }
            }
        }
        way.states
    }
}

/// Derivatives by the messages that all nodes tell, `[N, C]`.
struct Told(Vec<f32>);

impl Told {
    fn new(len: usize) -> Self {
        Self(vec![0.0; len])
    }
}

/// Derivatives on the way back.
struct Way<'a> {
    gnn: &'a GatedGnn,
    /// By the present states, `[N, C]`.
    states: Vec<f32>,
    direct: Told,
    virtual_edges: Told,
    /// By what a node hears, `[C]`.
    heard: Vec<f32>,
    gates: Gates,
    /// By the gates' inputs.
    changes: Products,
    gradients: &'a mut GatedGnn,
}

impl Way<'_> {
    /// Back through the update of `v`.
    fn update(&mut self, v: usize, lengths: &[u8], heard: &[f32], before: &[f32]) {
        let c = self.gnn.width;
        let state = &mut self.states[v * c..(v + 1) * c];
        self.gnn.gru.open(heard, before, &mut self.gates);
        for (i, by_state) in state.iter_mut().enumerate() {
            let [reset, update, new] = self.gates.at(i, c);
            let by_new = *by_state * (1.0 - update) * (1.0 - new * new);
            let by_update = *by_state * (before[i] - new) * update * (1.0 - update);
            let read = self.gates.products.state[2 * c + i];
            let by_reset = by_new * read * reset * (1.0 - reset);
            for (gate, by) in [(0, by_reset), (1, by_update)] {
                self.changes.input[gate * c + i] = by;
                self.changes.state[gate * c + i] = by;
            }
            self.changes.input[2 * c + i] = by_new;
            self.changes.state[2 * c + i] = by_new * reset;
            *by_state *= update;
        }
        self.heard.fill(0.0);
        let (gru, gradients) = (&self.gnn.gru, &mut self.gradients.gru);
        let changes = &self.changes;
        gru.input
            .back(heard, &changes.input, &mut self.heard, &mut gradients.input);
        gru.state
            .back(before, &changes.state, state, &mut gradients.state);
        for (u, &length) in lengths.iter().enumerate() {
            let at = u * c..(u + 1) * c;
            if length == 1 {
                for (told, heard) in self.direct.0[at.clone()].iter_mut().zip(&self.heard) {
                    *told += heard;
                }
            }
            if length > 0 && self.gnn.virtual_edges.is_some() {
                let nearness = 1.0 / f32::from(length);
                for (told, heard) in self.virtual_edges.0[at].iter_mut().zip(&self.heard) {
                    *told += heard * nearness;
                }
            }
        }
    }

    /// Back through the messages of `u`: whatever heard them came later.
    fn refresh(&mut self, u: usize, state: &[f32]) {
        let at = u * self.gnn.width..(u + 1) * self.gnn.width;
        let by_state = &mut self.states[at.clone()];
        let told = &mut self.direct.0[at.clone()];
        self.gnn
            .direct
            .back(state, told, by_state, &mut self.gradients.direct);
        let gradients = self.gradients.virtual_edges.as_mut();
        if let (Some(message), Some(gradients)) = (&self.gnn.virtual_edges, gradients) {
            message.back(state, &mut self.virtual_edges.0[at], by_state, gradients);
        }
    }
}

impl Message {
    /// `told` holds the derivatives by the message, and nothing afterwards.
    fn back(&self, state: &[f32], told: &mut [f32], by_state: &mut [f32], gradients: &mut Self) {
        if told.iter().all(|t| *t == 0.0) {
            return;
        }
        let Self([first, second]) = self;
        let Self([first_gradient, second_gradient]) = gradients;
        let mut inner = vec![0.0; self.inner()];
        let mut message = vec![0.0; told.len()];
        self.apply(state, &mut inner, &mut message);
        through_relu(told, &message);
        let mut by_inner = vec![0.0; inner.len()];
        second.back(&inner, told, &mut by_inner, second_gradient);
        through_relu(&mut by_inner, &inner);
        first.back(state, &by_inner, by_state, first_gradient);
        told.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::super::config::Config;
    use super::super::super::weights::Weights;
    use super::*;
    use crate::random;

    /// Ten nodes with a branch, a skip and a node that nothing leads to or from.
    fn distances() -> Distances {
        let successors: [&[usize]; 10] = [
            &[1, 2],
            &[3],
            &[3],
            &[4, 6],
            &[5],
            &[6],
            &[7],
            &[8],
            &[],
            &[],
        ];
        Distances::from_edges(&successors.map(<[usize]>::to_vec))
    }

    fn gnn(ve: bool) -> GatedGnn {
        let config = Config {
            hid: 8,
            ve,
            ..Config::ghn2_cifar10()
        };
        GatedGnn::new(&config, &Weights::random(&config, 3)).unwrap()
    }

    fn numbers(name: &str, len: usize) -> Vec<f32> {
        let mut rng = random::stream(5, name);
        (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    }

    /// All weights one after another.
    fn flat(gnn: &mut GatedGnn) -> Vec<&mut f32> {
        let mut all = Vec::new();
        gnn.list(&mut all);
        all.into_iter().flat_map(|w| w.iter_mut()).collect()
    }

    #[test]
    fn gradients_are_what_differences_say() {
        const STEP: f32 = 1e-2;
        let distances = distances();
        for ve in [true, false] {
            let mut gnn = gnn(ve);
            let len = distances.nodes() * gnn.width;
            let (features, wanted) = (numbers("features", len), numbers("wanted", len));
            let (states, tape) = gnn.run_noting(features.clone(), &distances);
            assert_eq!(states, gnn.run(features.clone(), &distances));
            let mut gradients = gnn.clone();
            flat(&mut gradients).into_iter().for_each(|g| *g = 0.0);
            let by_features = gnn.backward(&tape, &distances, wanted.clone(), &mut gradients);

            // Along a direction in the features, and one in the weights.
            let moved = |gnn: &GatedGnn, features: &[f32]| {
                dot(&gnn.run(features.to_vec(), &distances), &wanted)
            };
            let direction = numbers("direction", len);
            let along = |step: f32| -> Vec<f32> {
                let pairs = features.iter().zip(&direction);
                pairs.map(|(f, d)| f + step * d).collect()
            };
            let difference = moved(&gnn, &along(STEP)) - moved(&gnn, &along(-STEP));
            let slope = difference / f64::from(2.0 * STEP);
            let said = dot(&by_features, &direction);
            assert!(
                (slope - said).abs() < 5e-3 * said.abs().max(1.0),
                "features: {slope} {said}"
            );

            let gradients: Vec<f32> = flat(&mut gradients).into_iter().map(|g| *g).collect();
            let direction = numbers("weights", gradients.len());
            let step = |gnn: &mut GatedGnn, step: f32| {
                for (weight, d) in flat(gnn).into_iter().zip(&direction) {
                    *weight += step * d;
                }
            };
            let small = STEP / 10.0;
            step(&mut gnn, small);
            let above = moved(&gnn, &features);
            step(&mut gnn, -2.0 * small);
            let slope = (above - moved(&gnn, &features)) / f64::from(2.0 * small);
            let said = dot(&gradients, &direction);
            assert!(
                (slope - said).abs() < 5e-3 * said.abs().max(1.0),
                "weights: {slope} {said}"
            );
        }
    }
}
