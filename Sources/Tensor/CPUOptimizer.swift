import CKernels

#if canImport(Glibc)
  import Glibc
#endif

extension CPUOperations {
  func sumOfSquares(_ x: Matrix) -> Double {
    precondition(x.isDense, "sumOfSquares: gaps between rows")
    return kernels.sum_squares(x.float32, x.count)
  }

  func adamW(
    parameters: Matrix, gradient: Matrix, gradientScale: Float, firstMoment: Matrix, secondMoment: Matrix,
    settings: AdamWSettings, learningRate: Float, step: Int
  ) {
    precondition(
      [parameters, gradient, firstMoment, secondMoment].allSatisfy {
        $0.isDense && $0.count == parameters.count
      }, "adamW: shapes differ")
    // The corrections use the decay rates as the kernel rounds them to float32. 1 - 0.999 in float32 is off
    // by 1.3e-5, which would otherwise bias the first steps.
    let (beta1, beta2) = (Float(settings.beta1), Float(settings.beta2))
    kernels.adamw(
      parameters.float32, gradient.float32, firstMoment.float32, secondMoment.float32, parameters.count,
      learningRate, beta1, beta2, Float(settings.epsilon), Float(settings.weightDecay), gradientScale,
      Float(1 - pow(Double(beta1), Double(step))), Float(1 - pow(Double(beta2), Double(step))))
  }
}
