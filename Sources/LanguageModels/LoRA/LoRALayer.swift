import Tensor

// One adapted group, forward beside backward. Backward needs x and u.
extension AdaptedGroup {
  /// u `[rows, members * active]` = x Aᵀ; adds u Bᵀ to y `[rows, fused outputs]`.
  func forward(_ x: Matrix, u: Matrix, addTo y: Matrix, _ operations: any TensorOperations) {
    operations.matmul(x, transposed: false, a, transposed: true, into: u, accumulate: false)
    operations.matmul(u, transposed: false, b, transposed: true, into: y, accumulate: true)
  }

  /// Writes the trainable columns' gradients into `gradients`, and adds to dx `[rows, inputs]`, if asked for,
  /// the gradient with respect to x.
  ///
  /// The gradient of B is that of scale · B: the optimiser multiplies it by the scale.
  func backward(
    dy: Matrix, x: Matrix, u: Matrix, addTo dx: Matrix?, gradients: GradientBuffer, _ scratch: LowRankScratch,
    _ operations: any TensorOperations
  ) {
    let du = scratch.du(rows: dy.rows, columns: a.rows)
    operations.matmul(dy, transposed: false, b, transposed: false, into: du, accumulate: false)
    if let dx {
      operations.matmul(du, transposed: false, a, transposed: false, into: dx, accumulate: true)
    }
    guard trainable > 0 else { return }
    let trained = members.count * trainable
    operations.matmul(
      dense(du, scratch.trainableDu(rows: dy.rows, columns: trained), operations), transposed: true, x,
      transposed: false, into: gradients.a(members.map(\.site)), accumulate: false)
    let db = scratch.db(rows: dy.columns, columns: trained)
    operations.matmul(
      dy, transposed: true, dense(u, scratch.trainableU(rows: dy.rows, columns: trained), operations),
      transposed: false, into: db, accumulate: false)
    // Only the diagonal blocks are gradients of parameters.
    for (place, member) in members.enumerated() {
      operations.copy(
        db.rows(member.outputs).columns(place * trainable..<(place + 1) * trainable),
        into: gradients.b(member.site))
    }
  }

  /// The trainable columns of u or du without gaps: products of matrices with gaps are slow.
  private func dense(_ matrix: Matrix, _ copy: Matrix, _ operations: any TensorOperations) -> Matrix {
    if trainableColumns.count == matrix.columns { return matrix }
    operations.copy(matrix.columns(trainableColumns), into: copy)
    return copy
  }
}

/// A worker's memory for low-rank products, cut to the shape of each group in turn.
struct LowRankScratch {
  private let gradient: Matrix
  private let trainableGradient: Matrix
  private let trainableLow: Matrix
  private let outputGradient: Matrix

  /// For groups of at most `columns` columns and `outputs` fused outputs.
  init(_ planner: inout ArenaPlanner, rows: Int, columns: Int, outputs: Int, type: ElementType) {
    gradient = planner.matrix(rows: rows, columns: columns, type: type)
    trainableGradient = planner.matrix(rows: rows, columns: columns, type: type)
    trainableLow = planner.matrix(rows: rows, columns: columns, type: type)
    outputGradient = planner.matrix(rows: outputs, columns: columns, type: .float32)
  }

  private func cut(_ matrix: Matrix, _ rows: Int, _ columns: Int) -> Matrix {
    precondition(rows * columns <= matrix.count, "LowRankScratch: too small")
    return Matrix(matrix.address, rows: rows, columns: columns, type: matrix.type)
  }

  func du(rows: Int, columns: Int) -> Matrix { cut(gradient, rows, columns) }
  func trainableDu(rows: Int, columns: Int) -> Matrix { cut(trainableGradient, rows, columns) }
  func trainableU(rows: Int, columns: Int) -> Matrix { cut(trainableLow, rows, columns) }
  func db(rows: Int, columns: Int) -> Matrix { cut(outputGradient, rows, columns) }
}

/// Gradients of the trainable columns: one flat float32 vector in the order of a ``TrainableLayout``.
///
/// Unchecked: each worker writes a buffer of its own.
public final class GradientBuffer: @unchecked Sendable {
  /// Which part is whose.
  public let layout: TrainableLayout
  private let memory: DeviceMemory

  /// Zeros.
  public init(_ layout: TrainableLayout, device: any ComputeDevice) {
    self.layout = layout
    memory = device.allocate(byteCount: max(layout.count, 1) * 4)
  }

  /// All of it, `[1, count]`.
  public var flat: Matrix { memory.matrix(rows: 1, columns: layout.count, type: .float32) }

  /// The gradient of the A of sites that read one input and stand one after the other,
  /// `[sites * columns, inputs]`.
  func a(_ sites: [Int]) -> Matrix {
    let first = sites[0]
    precondition(sites == Array(first..<first + sites.count), "GradientBuffer: sites are not consecutive")
    let rows = sites.count * layout.columns
    let inputs = layout.sites[first].inputs
    return flat.columns(layout.aOffsets[first]..<layout.aOffsets[first] + rows * inputs)
      .reshaped(rows: rows, columns: inputs)
  }

  /// The gradient of a site's scale · B, `[outputs, columns]`.
  func b(_ site: Int) -> Matrix {
    flat.columns(layout.bOffsets[site]..<layout.bOffsets[site] + layout.columns * layout.sites[site].outputs)
      .reshaped(rows: layout.sites[site].outputs, columns: layout.columns)
  }
}
