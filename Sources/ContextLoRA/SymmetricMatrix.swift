/// A small real symmetric matrix.
struct SymmetricMatrix {
  private let size: Int
  private var elements: [Double]

  /// - Parameter element: called for each row and each column that is not before it.
  init(_ size: Int, element: (Int, Int) -> Double) {
    self.size = size
    elements = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in i..<size {
        let value = element(i, j)
        elements[i * size + j] = value
        elements[j * size + i] = value
      }
    }
  }

  /// - Parameter vector: `[size]`.
  func product(_ vector: [Double]) -> [Double] {
    (0..<size).map { Array(elements[$0 * size..<($0 + 1) * size]).dot(vector) }
  }

  /// The eigenvalues and, for each, an eigenvector of length 1; by the cyclic Jacobi method (Golub and Van Loan, Matrix
  /// Computations, 8.5). The same elements give the same bits on every processor.
  func eigenvectors() -> (values: [Double], vectors: [[Double]]) {
    var (matrix, vectors) = (elements, [Double](repeating: 0, count: size * size))
    for i in 0..<size { vectors[i * size + i] = 1 }
    let total = elements.reduce(0) { $0 + $1 * $1 }
    for _ in 0..<Self.mostSweeps {
      var rest = 0.0
      for i in 0..<size {
        for j in 0..<i { rest += 2 * matrix[i * size + j] * matrix[i * size + j] }
      }
      guard rest > total * 1e-28 else { break }
      for p in 0..<size {
        for q in (p + 1)..<max(size, p + 1) where matrix[p * size + q] != 0 {
          Self.rotate(&matrix, &vectors, size, p, q)
        }
      }
    }
    return (
      (0..<size).map { matrix[$0 * size + $0] },
      (0..<size).map { Array(vectors[$0 * size..<($0 + 1) * size]) }
    )
  }

  /// Far more than are needed: convergence is quadratic.
  private static let mostSweeps = 30

  /// Makes the element of row p and column q zero. Eigenvectors are rows of `vectors`.
  private static func rotate(
    _ matrix: inout [Double], _ vectors: inout [Double], _ size: Int, _ p: Int, _ q: Int
  ) {
    let (pp, qq, pq) = (matrix[p * size + p], matrix[q * size + q], matrix[p * size + q])
    let theta = (qq - pp) / (2 * pq)
    let tangent = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
    let cosine = 1 / (tangent * tangent + 1).squareRoot()
    let sine = tangent * cosine
    for k in 0..<size {
      let (kp, kq) = (matrix[k * size + p], matrix[k * size + q])
      matrix[k * size + p] = cosine * kp - sine * kq
      matrix[k * size + q] = sine * kp + cosine * kq
    }
    for k in 0..<size {
      let (pk, qk) = (matrix[p * size + k], matrix[q * size + k])
      matrix[p * size + k] = cosine * pk - sine * qk
      matrix[q * size + k] = sine * pk + cosine * qk
      let (vp, vq) = (vectors[p * size + k], vectors[q * size + k])
      vectors[p * size + k] = cosine * vp - sine * vq
      vectors[q * size + k] = sine * vp + cosine * vq
    }
  }
}
