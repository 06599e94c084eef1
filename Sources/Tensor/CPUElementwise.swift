import CKernels

// Normalisation and activation: each forward pass is followed by its backward pass.
extension CPUOperations {
  func add(_ x: Matrix, to y: Matrix) {
    precondition(x.count == y.count && x.isDense && y.isDense, "add: shapes differ")
    kernels.add(x.float32, x.count, y.float32)
  }

  func rmsNorm(_ x: Matrix, weight: Matrix, epsilon: Float, into y: Matrix, rstd: Matrix) {
    precondition(
      x.isDense && y.isDense && weight.columns == x.columns && y.columns == x.columns && y.rows == x.rows
        && rstd.count >= x.rows,
      "rmsNorm: shapes differ")
    switch y.type {
    case .float32:
      kernels.rms_norm_forward_f32(
        x.float32, weight.float32, epsilon, x.rows, x.columns, y.float32, rstd.float32)
    case .bfloat16:
      kernels.rms_norm_forward_bf16(
        x.float32, weight.float32, epsilon, x.rows, x.columns, y.bfloat16, rstd.float32)
    }
  }

  func rmsNormBackward(dy: Matrix, x: Matrix, weight: Matrix, rstd: Matrix, addTo dx: Matrix) {
    precondition(
      dy.isDense && x.isDense && dx.isDense && dy.count == x.count && dx.count == x.count
        && weight.columns == x.columns && rstd.count >= x.rows,
      "rmsNormBackward: shapes differ")
    kernels.rms_norm_backward(
      dy.float32, x.float32, weight.float32, rstd.float32, x.rows, x.columns, dx.float32)
  }

  func swiGLU(_ gateUp: Matrix, into act: Matrix) {
    precondition(
      gateUp.isDense && act.isDense && gateUp.columns == 2 * act.columns && gateUp.rows == act.rows
        && gateUp.type == act.type,
      "swiGLU: shapes differ")
    switch act.type {
    case .float32: kernels.swiglu_forward_f32(gateUp.float32, act.rows, act.columns, act.float32)
    case .bfloat16: kernels.swiglu_forward_bf16(gateUp.bfloat16, act.rows, act.columns, act.bfloat16)
    }
  }

  func swiGLUBackward(gateUp: Matrix, dAct: Matrix, into dGateUp: Matrix) {
    precondition(
      gateUp.isDense && dAct.isDense && dGateUp.isDense && gateUp.columns == 2 * dAct.columns
        && gateUp.rows == dAct.rows && dGateUp.count == gateUp.count && gateUp.type == dAct.type
        && dGateUp.type == dAct.type,
      "swiGLUBackward: shapes differ")
    switch dAct.type {
    case .float32:
      kernels.swiglu_backward_f32(
        gateUp.float32, dAct.float32, dAct.rows, dAct.columns, dGateUp.float32)
    case .bfloat16:
      kernels.swiglu_backward_bf16(
        gateUp.bfloat16, dAct.bfloat16, dAct.rows, dAct.columns, dGateUp.bfloat16)
    }
  }
}
