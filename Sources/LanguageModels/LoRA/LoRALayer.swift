import Tensor

/// The active columns of one fused projection in one layer: the A of all members as one dense matrix, and
/// each member's B.
///
/// The members' columns are side by side, a member's frozen ones before its trainable ones.
struct LoRALayer {
  /// One adapted layer of the fused projection.
  struct Member {
    /// Its index in the adapter's target modules.
    let module: Int
    /// Its columns of the fused output.
    let outputs: Range<Int>
    /// Its rows of `a`, and columns of x Aᵀ: frozen and trainable.
    let active: Range<Int>
    /// The trainable ones among `active`.
    let trainable: Range<Int>
    /// `[outputs, active]`, times the adapter's scale.
    let b: Matrix
  }
  /// `[members * active, inputs]`.
  let a: Matrix
  /// In the order of the adapter's target modules, where they are consecutive.
  let members: [Member]
  /// The number of trainable columns of each member.
  let trainable: Int

  /// Computes x Aᵀ, `[rows, members * active]`, and adds (x Aᵀ) Bᵀ to y `[rows, fused outputs]`, each member to
  /// its own columns. `xA` has room for x Aᵀ and keeps it for the backward pass.
  func forward(_ x: Matrix, xA: Matrix, addTo y: Matrix, _ operations: any TensorOperations) {
    let u = xA.leading(rows: x.rows, columns: a.rows)
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
    dy: Matrix, x: Matrix, xA: Matrix, addTo dx: Matrix?, gradients: GradientBuffer, _ scratch: Scratch,
    _ operations: any TensorOperations
  ) {
    let u = xA.leading(rows: x.rows, columns: a.rows)
    let du = scratch.dXA.leading(rows: dy.rows, columns: a.rows)
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
      into: gradients.a(members.map(\.module)), accumulate: false)
    for member in members {
      let trained = scratch.trainableXA.leading(rows: dy.rows, columns: trainable)
      operations.copy(u.columns(member.trainable), into: trained)
      operations.matmul(
        dy.columns(member.outputs), transposed: true, trained, transposed: false,
        into: gradients.b(member.module), accumulate: false)
    }
  }

  /// The trainable columns of all members without gaps, because products of matrices with gaps are slow.
  private func trainableColumns(
    of du: Matrix, _ scratch: Scratch, _ operations: any TensorOperations
  ) -> Matrix {
    let count = members.count * trainable
    if count == du.columns { return du }
    let trained = scratch.trainableXA.leading(rows: du.rows, columns: count)
    for (index, member) in members.enumerated() {
      operations.copy(
        du.columns(member.trainable), into: trained.columns(index * trainable..<(index + 1) * trainable))
    }
    return trained
  }
}
