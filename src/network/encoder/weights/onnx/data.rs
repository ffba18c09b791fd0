//! What nodes do to numbers that weights have been at work on. Everything here is strict: what is not known for certain is
//! not followed.

use super::array::{Maybe, axis};
use super::graph::{Attribute, Node};
use super::names::Role;
use super::step::Step;
use super::stored::Element;
use super::trace::{Followed, Trace};
use super::value::{Axis, Data, Factor, Value, View, What};

impl<'file> Trace<'_, 'file> {
    /// A node with at least one input of data.
    pub(super) fn data(&mut self, node: &Node<'file>, site: usize) -> Maybe<Vec<Value<'file>>> {
        let made = match (node.operation, self.value(node, 0)?.clone()) {
            ("Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max", _) => self.pair(node, site)?,
            ("Where", _) => self.chosen(node)?,
            ("MatMulInteger", _) => self.integers(node, site)?,
            ("DynamicQuantizeLinear", _) => return self.quantise(node.input(0)?),
            (_, Value::Data(data)) => self.single(node, site, data)?,
            _ => return Err("works on weights in a way that is not known".to_owned()),
        };
        Ok(vec![Value::Data(made)])
    }

    /// A node whose first input is data.
    fn single(&mut self, node: &Node<'file>, site: usize, data: Data<'file>) -> Followed<'file> {
        let name = node.input(0)?;
        match (node.operation, &data.what) {
            ("Identity", _) => Ok(data),
            ("Dropout", _) => match self.optional(node, 2)? {
                Some(trains) if trains.scalar() != Some(0.0) => Err("drops numbers at random".to_owned()),
                _ => Ok(data),
            },
            ("Cast", _) => cast(node, data),
            ("Reshape", _) => self.reshape(node),
            ("Transpose", _) => self.transpose(node),
            ("Unsqueeze" | "Squeeze", _) => self.squeeze(node),
            ("Expand", _) => self.expand(node),
            ("Slice", _) => self.slice(node),
            ("Gather", _) => self.gather(node),
            ("MatMul", _) => match self.view(node, 1) {
                Ok(view) => self.product(name, Factor { view, site }),
                Err(_) => self.attend(node, &data),
            },
            ("Gemm", _) => self.gemm(node, site),
            ("LayerNormalization", _) => self.norm(node, site),
            ("ReduceMean", _) => self.mean(node, data),
            ("Sqrt", What::Steadied(of, epsilon)) => Ok(data.turned(What::Deviation(*of, *epsilon))),
            ("Softmax", _) => self.softmax(node, &data),
            ("IsNaN", What::Shares(scores)) => Ok(data.turned(What::NoNumbers(*scores))),
            ("DequantizeLinear", _) => self.dequantise(node, &data),
            ("Gelu", _) => {
                let tanh = matches!(node.attributes.get("approximate"), Some(Attribute::Text("tanh")));
                self.gelu(name, tanh)
            }
            (operation, _) => self.bent(name, |curve| curve.then(operation)),
        }
    }

    /// Rows times a matrix of the shape `[inputs, outputs]`.
    fn product(&mut self, rows: &str, factor: Factor<'file>) -> Followed<'file> {
        let (of, rows) = self.rows(rows)?;
        self.times(&rows, &factor.view, What::Product(of, factor))
    }

    /// The data of a product, if the sizes fit.
    pub(super) fn times(&self, rows: &Data<'file>, view: &View<'file>, what: What<'file>) -> Followed<'file> {
        let [inputs, outputs] = self.shape(view)[..] else { return Err("has a weight that is no matrix".to_owned()) };
        if rows.width() != inputs {
            return Err(format!("has a weight for {inputs} columns, not for {}", rows.width()));
        }
        let mut shape = rows.shape.clone();
        shape.pop();
        shape.push(outputs);
        Ok(Data::new(what, &rows.axes, shape))
    }

    fn gemm(&mut self, node: &Node<'file>, site: usize) -> Followed<'file> {
        let is_one = |name: &str| node.float(name).unwrap_or(1.0) == 1.0;
        let flips = |name: &str| node.integer(name).unwrap_or(0) != 0;
        let view = self.view(node, 1)?;
        let view = View { flipped: view.flipped != flips("transB"), ..view };
        let product = self.product(node.input(0)?, Factor { view, site })?;
        if !is_one("alpha") || !is_one("beta") || flips("transA") || product.shape.len() != 2 {
            return Err("does more than multiply and add".to_owned());
        }
        if node.has(2) { self.close(product, Factor { view: self.view(node, 2)?, site }) } else { Ok(product) }
    }

    /// A product or a scaled norm with its bias.
    pub(super) fn close(&mut self, data: Data<'file>, bias: Factor<'file>) -> Followed<'file> {
        if !self.is_vector(&bias.view, data.width()) {
            return Err("adds what is no bias of its size".to_owned());
        }
        let bias = self.parameter(bias, Role::Bias, None);
        let step = match data.what {
            What::Product(of, weight) => {
                let weight = self.parameter(weight, Role::Weight, Some(bias));
                Step::Linear { of, weight, bias: Some(bias) }
            }
            What::Scaled(of, epsilon, weight) => {
                let weight = Some(self.parameter(weight, Role::Weight, None));
                Step::Norm { of, weight, bias: Some(bias), epsilon }
            }
            _ => return Err("adds a bias to what has none".to_owned()),
        };
        let what = What::Step(self.step(step));
        Ok(data.turned(what))
    }

    fn norm(&mut self, node: &Node<'file>, site: usize) -> Followed<'file> {
        let (of, data) = self.settled(node.input(0)?)?;
        let last = axis(node.integer("axis").unwrap_or(-1), data.shape.len())? + 1 == data.shape.len();
        if data.axes.last() != Some(&Axis::Width) || !last {
            return Err("does not normalise rows".to_owned());
        }
        let mut parameters = [None; 2];
        for (place, role) in [(1, Role::Weight), (2, Role::Bias)].into_iter().filter(|(place, _)| node.has(*place)) {
            let view = self.view(node, place)?;
            if !self.is_vector(&view, data.width()) {
                return Err("has a factor or bias of another size than the rows".to_owned());
            }
            parameters[place - 1] = Some(self.parameter(Factor { view, site }, role, None));
        }
        let [weight, bias] = parameters;
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        let what = What::Step(self.step(Step::Norm { of, weight, bias, epsilon }));
        Ok(data.turned(what))
    }

    /// The mean of each row: of what is normalised, or of its squares.
    fn mean(&mut self, node: &Node<'file>, data: Data<'file>) -> Followed<'file> {
        let input = self.optional(node, 1)?.map(|axes| axes.integers());
        let places = node.integers("axes").or(input.as_deref()).unwrap_or_default();
        let last = places.len() == 1 && axis(places[0], data.shape.len())? + 1 == data.shape.len();
        let (what, data) = match data.what {
            What::Squares(of) => (What::Variance(of), data),
            _ => self.settled(node.input(0)?).map(|(of, data)| (What::Mean(of), data))?,
        };
        let mut mean = data.turned(what);
        if !last || mean.axes.pop() != Some(Axis::Width) || node.integer("keepdims").unwrap_or(1) == 0 {
            return Err("takes the mean of something else than a row".to_owned());
        }
        mean.axes.push(Axis::One);
        mean.shape.pop();
        mean.shape.push(1);
        Ok(mean)
    }
}

fn cast<'file>(node: &Node<'file>, data: Data<'file>) -> Followed<'file> {
    let to = node.integer("to").and_then(Element::of);
    let float = matches!(to, Some(Element::F32 | Element::F16 | Element::F64 | Element::Bf16));
    let whole =
        matches!(data.what, What::NoNumbers(_) | What::Quantised(_) | What::QuantisedZero(_) | What::Picked(..));
    if float && !whole { Ok(data) } else { Err("makes other numbers of numbers".to_owned()) }
}
