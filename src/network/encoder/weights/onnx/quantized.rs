//! Products as `quantize_dynamic` writes them: rows become bytes while the graph runs, the product is one of integers, and
//! the product of both scales makes floats of it. And tables whose rows are bytes.

use super::array::Maybe;
use super::graph::Node;
use super::stored::Element;
use super::trace::{Followed, Trace};
use super::value::{Data, Factor, Scale, Value, View, What};

impl<'file> Trace<'_, 'file> {
    /// `DynamicQuantizeLinear`: bytes, their scale and what stands for 0.
    pub(super) fn quantise(&mut self, name: &str) -> Maybe<Vec<Value<'file>>> {
        let (of, data) = self.rows(name)?;
        let single = |what| Value::Data(Data::new(what, &[], Vec::new()));
        let bytes = Value::Data(data.turned(What::Quantised(of)));
        Ok(vec![bytes, single(What::QuantisedScale(of)), single(What::QuantisedZero(of))])
    }

    /// `MatMulInteger` of quantised rows and a stored matrix.
    pub(super) fn integers(&mut self, node: &Node<'file>, site: usize) -> Followed<'file> {
        let view = self.view(node, 1)?;
        let (Value::Data(rows), Value::Data(zero)) = (self.value(node, 0)?, self.value(node, 2)?) else {
            return Err("multiplies what are no quantised rows".to_owned());
        };
        let bytes = matches!(self.stored(view.index).element, Element::U8 | Element::I8) && view.scale.is_none();
        match (&rows.what, &zero.what) {
            (What::Quantised(of), What::QuantisedZero(same)) if of == same && bytes => {
                let zero = if node.has(3) { Some(self.view(node, 3)?.index) } else { None };
                self.times(rows, &view, What::Integers(*of, Factor { view, site }, zero))
            }
            _ => Err("multiplies what are no quantised rows and weights".to_owned()),
        }
    }

    /// `DequantizeLinear` of rows of a table.
    pub(super) fn dequantise(&mut self, node: &Node<'file>, data: &Data<'file>) -> Followed<'file> {
        let What::Picked(table, index) = &data.what else {
            return Err("makes floats of something else than a table's rows".to_owned());
        };
        let scale = self.scale(node, data.shape.len())?;
        if std::iter::once(scale.factor).chain(scale.zero).any(|stored| self.stored(stored).len() != 1) {
            return Err("has more scales than one for a table".to_owned());
        }
        let what = What::Step(self.embedding(table.scaled(scale.factor, scale.zero), index.clone()));
        Ok(data.turned(what))
    }
}

impl Factor<'_> {
    /// The weight with its scale. Scales belong to columns of a matrix as it is multiplied.
    pub(super) fn scaled(self, factor: usize, zero: Option<usize>) -> Self {
        let scale = Some(Scale { factor, zero, axis: usize::from(!self.view.flipped) });
        Self { view: View { scale, ..self.view }, ..self }
    }
}
