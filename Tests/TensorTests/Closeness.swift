import Testing

/// The largest relative error of one float32 operation.
let u = 0x1p-24

/// Checks every element against its own bound. For operations short enough to bound each rounding.
func expectWithin(
  _ bounds: HostMatrix, _ actual: HostMatrix, _ expected: HostMatrix, _ what: @autoclosure () -> String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.rows == expected.rows, actual.columns == expected.columns else {
    Issue.record("shapes differ", sourceLocation: sourceLocation)
    return
  }
  for index in actual.values.indices {
    let (a, e, bound) = (actual.values[index], expected.values[index], bounds.values[index])
    // Written so that NaN fails.
    if !(abs(a - e) <= bound) {
      Issue.record(
        """
        \(what()) row \(index / actual.columns), column \(index % actual.columns): \
        \(a), expected \(e), off by \(abs(a - e)), allowed \(bound)
        """, sourceLocation: sourceLocation)
      return
    }
  }
}

/// Checks that the error's Euclidean norm is within `tolerance` of the expected one's, and that no element's
/// error exceeds `tolerance` times the largest element. For chains of operations, where a bound for each
/// element would be far above the effect of independent roundings, which add in quadrature.
func expectClose(
  _ actual: HostMatrix, _ expected: HostMatrix, relative tolerance: Double,
  _ what: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.rows == expected.rows, actual.columns == expected.columns else {
    Issue.record("shapes differ", sourceLocation: sourceLocation)
    return
  }
  let error = relativeError(actual, expected)
  #expect(error.norm <= tolerance, "\(what()): relative error \(error.norm)", sourceLocation: sourceLocation)
  #expect(
    error.largest <= tolerance, "\(what()): one element's relative error \(error.largest)",
    sourceLocation: sourceLocation)
}

/// The norm of the error relative to the norm of the expected values, and the same for their largest
/// elements.
func relativeError(_ actual: HostMatrix, _ expected: HostMatrix) -> (norm: Double, largest: Double) {
  let error = zip(actual.values, expected.values).map { abs($0 - $1) }
  // NaN must not be lost in a comparison.
  if error.contains(where: \.isNaN) { return (.infinity, .infinity) }
  let norm = error.reduce(0) { $0 + $1 * $1 }.squareRoot()
  let scale = expected.dot(expected).squareRoot()
  let largest = expected.values.reduce(0) { max($0, abs($1)) }
  if scale == 0 { return norm == 0 ? (0, 0) : (.infinity, .infinity) }
  return (norm / scale, (error.max() ?? 0) / largest)
}
