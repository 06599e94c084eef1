import CKernels

// bfloat16 on processors that do not multiply it in hardware. Everything is stored as bfloat16, as on other
// processors; only the products differ. The operands are widened to float32, multiplied and summed in
// float32, and the result is rounded once to the destination's type. The product of two bfloat16 numbers is
// exact in float32, so the results equal those of the hardware except for the order of summation.

extension CPUDevice {
  /// Whether this processor multiplies bfloat16 in hardware, with instructions that the matrix library uses.
  package static let multipliesBFloat16 = ck_has_fast_bfloat16() == 1 && PackedProduct.multipliesBFloat16

  /// Whether products with a type are emulated on this processor.
  package static func emulates(_ type: ElementType) -> Bool { type == .bfloat16 && !multipliesBFloat16 }

  /// A note for the user about a number format on this processor; `nil` if there is nothing to report.
  package static func emulationNote(_ type: ElementType) -> String? {
    emulates(type)
      ? "bfloat16 is emulated on this processor: no faster than float32, and its weights take as much memory"
      : nil
  }

  /// The type in which packed weights are stored: float32 with bfloat16 values if ``computeType`` is
  /// emulated.
  package var weightType: ElementType { emulatesBFloat16 ? .float32 : computeType }

  /// The type in which a device of this processor stores packed weights that it computes with in some type.
  package static func weightType(of type: ElementType) -> ElementType { emulates(type) ? .float32 : type }
}

extension ck_kernel_table {
  /// Rounds float32 values in place to the nearest bfloat16 values.
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
  /// A copy in float32, valid until the next call with the same slot.
  func widened(_ matrix: Matrix, _ slot: ScratchSlot) -> Matrix {
    let wide = scratch(slot, rows: matrix.rows, columns: matrix.columns, type: .float32)
    copy(matrix, into: wide)
    return wide
  }

  /// Calls `product` to write float32 values (to add to them, if `accumulate`), and rounds them into
  /// `destination`.
  func rounding(into destination: Matrix, accumulate: Bool, _ product: (Matrix) -> Void) {
    if destination.type == .float32 { return product(destination) }
    let sums = scratch(
      .wideDestination, rows: destination.rows, columns: destination.columns, type: .float32)
    if accumulate { copy(destination, into: sums) }
    product(sums)
    copy(sums, into: destination)
  }
}
