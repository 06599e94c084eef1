import Tensor

// Forward and backward of one adapted fused projection. Backward needs x and u.
extension AdaptedGroup {
  /// Computes u `[rows, members * active]` = x Aᵀ and adds u Bᵀ to y `[rows, fused outputs]`, each member to
  /// its own columns.
  func forward(_ x: Matrix, u: Matrix, addTo y: Matrix, _ operations: any TensorOperations) {
    operations.matmul(x, transposed: false, a, transposed: true, into: u, accumulate: false)
    for member in members {
      operations.matmul(
        u.columns(member.active), transposed: false, member.b, transposed: true,
        into: y.columns(member.outputs), accumulate: true)
    }
  }

  /// Writes the trainable columns' gradients into `gradients`, and adds the gradient with respect to x to dx
  /// `[rows, inputs]`, if given.
  ///
  /// The gradient of B is that of scale · B: the optimiser multiplies it by the scale.
  func backward(
    dy: Matrix, x: Matrix, u: Matrix, addTo dx: Matrix?, gradients: GradientBuffer, _ scratch: LowRankScratch,
    _ operations: any TensorOperations
  ) {
    let du = scratch.du(rows: dy.rows, columns: a.rows)
    for member in members {
      operations.matmul(
        dy.columns(member.outputs), transposed: false, member.b, transposed: false,
        into: du.columns(member.active), accumulate: false)
    }
    if let dx {
      operations.matmul(du, transposed: false, a, transposed: false, into: dx, accumulate: true)
    }
    guard trainable > 0 else { return }
    operations.matmul(
      trainableColumns(of: du, scratch, operations), transposed: true, x, transposed: false,
      into: gradients.a(members.map(\.site)), accumulate: false)
    for member in members {
      let trained = scratch.trainable(rows: dy.rows, columns: trainable)
      operations.copy(u.columns(member.trainable), into: trained)
      operations.matmul(
        dy.columns(member.outputs), transposed: true, trained, transposed: false,
        into: gradients.b(member.site), accumulate: false)
    }
  }

  /// The trainable columns of all members without gaps, because products of matrices with gaps are slow.
  private func trainableColumns(
    of du: Matrix, _ scratch: LowRankScratch, _ operations: any TensorOperations
  ) -> Matrix {
    let count = members.count * trainable
    if count == du.columns { return du }
    let trained = scratch.trainable(rows: du.rows, columns: count)
    for (place, member) in members.enumerated() {
      operations.copy(
        du.columns(member.trainable), into: trained.columns(place * trainable..<(place + 1) * trainable))
    }
    return trained
  }
}

/// A worker's buffers for low-rank products, reshaped for each fused projection in turn.
struct LowRankScratch {
  private let gradient: Matrix
  private let trainable: Matrix

  /// For fused projections of at most `columns` columns.
  init(_ planner: inout ArenaPlanner, rows: Int, columns: Int, type: ElementType) {
    gradient = planner.matrix(rows: rows, columns: columns, type: type)
    trainable = planner.matrix(rows: rows, columns: columns, type: type)
  }

  private func cut(_ matrix: Matrix, _ rows: Int, _ columns: Int) -> Matrix {
    precondition(rows * columns <= matrix.count, "LowRankScratch: too small")
    return Matrix(matrix.address, rows: rows, columns: columns, type: matrix.type)
  }

  func du(rows: Int, columns: Int) -> Matrix { cut(gradient, rows, columns) }
  func trainable(rows: Int, columns: Int) -> Matrix { cut(trainable, rows, columns) }
}

/// Gradients of the trainable columns: one flat float32 vector in the order of a ``TrainableLayout``.
///
/// Unchecked: each worker writes a buffer of its own.
package final class GradientBuffer: @unchecked Sendable {
  /// The layout of the vector.
  package let layout: TrainableLayout
  private let memory: DeviceMemory

  /// A buffer of zeros.
  package init(_ layout: TrainableLayout, device: any ComputeDevice) {
    self.layout = layout
    memory = device.allocate(byteCount: max(layout.count, 1) * 4)
  }

  /// The whole vector, `[1, count]`.
  package var flat: Matrix { memory.matrix(rows: 1, columns: layout.count, type: .float32) }

  /// The gradient of the A of consecutive target modules with the same input, `[sites * columns, inputs]`.
  func a(_ sites: [Int]) -> Matrix {
    let first = sites[0]
    precondition(sites == Array(first..<first + sites.count), "GradientBuffer: sites are not consecutive")
    let rows = sites.count * layout.columns
    let inputs = layout.sites[first].inputs
    return flat.columns(layout.aOffsets[first]..<layout.aOffsets[first] + rows * inputs)
      .reshaped(rows: rows, columns: inputs)
  }

  /// The gradient of a target module's scale · B, `[outputs, columns]`.
  func b(_ site: Int) -> Matrix {
    flat.columns(layout.bOffsets[site]..<layout.bOffsets[site] + layout.columns * layout.sites[site].outputs)
      .reshaped(rows: layout.sites[site].outputs, columns: layout.columns)
  }
}
