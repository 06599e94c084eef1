import CKernels

// bfloat16 on processors that do not multiply it: everything is stored as bfloat16, as on the others, and
// only the products differ. Operands are widened to float32, multiplied and summed there, and the result is
// rounded to the destination's type once: the numbers of the hardware's product but for the order of its
// sums. The product of two bfloat16 numbers is exact in float32.

extension CPUDevice {
  /// Whether this processor multiplies bfloat16 in hardware, by instructions that the matrix library uses.
  package static let multipliesBFloat16 = ck_has_fast_bfloat16() == 1 && PackedProduct.multipliesBFloat16

  /// Whether products of a type are emulated on this processor.
  package static func emulates(_ type: ElementType) -> Bool { type == .bfloat16 && !multipliesBFloat16 }

  /// What a person should know of a number format on this processor; `nil` where there is nothing to say.
  package static func emulationNote(_ type: ElementType) -> String? {
    emulates(type)
      ? "bfloat16 is emulated on this processor: no faster than float32, and its weights take as much memory"
      : nil
  }

  /// What packed weights are stored in: float32 that holds bfloat16 values where ``computeType`` is emulated.
  package var weightType: ElementType { emulatesBFloat16 ? .float32 : computeType }
}

extension ck_kernel_table {
  /// Rounds float32 values to the nearest bfloat16 ones, in place.
  func roundToBFloat16(_ values: UnsafeMutablePointer<Float>, count: Int) {
    let block = 4096
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: block) { narrow in
      guard let bits = narrow.baseAddress else { return }
      for start in stride(from: 0, to: count, by: block) {
        let size = min(block, count - start)
        narrow_bf16(values + start, size, 1, bits)
        widen_bf16(bits, size, values + start)
      }
    }
  }
}

extension CPUOperations {
  /// The same values in float32; valid until the next call with the same slot.
  func widened(_ matrix: Matrix, _ slot: ScratchSlot) -> Matrix {
    let wide = scratch(slot, rows: matrix.rows, columns: matrix.columns, type: .float32)
    copy(matrix, into: wide)
    return wide
  }

  /// Lets `product` write, or with `accumulate` add to, float32 values, and rounds them into `destination`.
  func rounding(into destination: Matrix, accumulate: Bool, _ product: (Matrix) -> Void) {
    if destination.type == .float32 { return product(destination) }
    let sums = scratch(
      .wideDestination, rows: destination.rows, columns: destination.columns, type: .float32)
    if accumulate { copy(destination, into: sums) }
    product(sums)
    copy(sums, into: destination)
  }
}
