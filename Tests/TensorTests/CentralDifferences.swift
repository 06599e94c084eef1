/// The gradient of `f` at `x` by central differences, one element after the other.
///
/// With a step of 1e-5, the truncation error is about 1e-10 of the third derivative, and the rounding error
/// is about 1e-11 of `f`: both far below float32's 6e-8.
func centralDifferences(at x: HostMatrix, of f: (HostMatrix) -> Double) -> HostMatrix {
  let step = 1e-5
  var point = x
  var gradient = HostMatrix(rows: x.rows, columns: x.columns)
  for index in x.values.indices {
    let value = x.values[index]
    point.values[index] = value + step
    let above = f(point)
    point.values[index] = value - step
    let below = f(point)
    point.values[index] = value
    gradient.values[index] = (above - below) / (2 * step)
  }
  return gradient
}
