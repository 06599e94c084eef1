import Tensor

/// A device, one worker's operations, and all memory that a test uses: views of it stay valid for the
/// lifetime of the workbench. New memory is filled with NaN, so that an unwritten element is detected.
///
/// It moves values by its own plain loops, not by the operations under test.
final class Workbench {
  let device: CPUDevice
  let operations: any TensorOperations
  private var blocks: [UnsafeMutableRawPointer: (memory: DeviceMemory, view: Matrix)] = [:]

  /// - Parameter emulating: emulates bfloat16 even if the processor multiplies it.
  init(_ type: ElementType = .float32, threads: Int = 1, emulating: Bool = false) {
    device = CPUDevice(computeType: type, workers: 2, emulating: emulating)
    operations = device.makeOperations(threads: threads)
  }

  /// Another worker of a device.
  init(sharing device: CPUDevice) {
    self.device = device
    operations = device.makeOperations(threads: 1)
  }

  /// The memory layout of a matrix.
  enum Layout: CaseIterable {
    case dense
    /// Some columns in the middle of a wider matrix, without alignment.
    case columnsOfWider
  }

  func matrix(
    _ rows: Int, _ columns: Int, as type: ElementType = .float32, _ layout: Layout = .dense
  ) -> Matrix {
    let (before, after) = layout == .dense ? (0, 0) : (3, 2)
    let stride = before + columns + after
    let memory = device.allocate(byteCount: max(rows * stride * type.size, 1))
    memory.address.initializeMemory(as: UInt8.self, repeating: 0xff, count: memory.byteCount)
    let view = memory.matrix(rows: rows, columns: stride, type: type).columns(before..<before + columns)
    blocks[view.address] = (memory, view)
    return view
  }

  func upload(
    _ host: HostMatrix, as type: ElementType = .float32, _ layout: Layout = .dense
  ) -> Matrix {
    let target = matrix(host.rows, host.columns, as: type, layout)
    put(host, into: target)
    return target
  }

  func put(_ host: HostMatrix, into target: Matrix) {
    precondition(host.rows == target.rows && host.columns == target.columns, "Workbench: shapes differ")
    for row in 0..<host.rows {
      for column in 0..<host.columns {
        let bits = Float(host[row, column]).bitPattern
        let place = target.address + (row * target.stride + column) * target.type.size
        switch target.type {
        case .float32: place.storeBytes(of: bits, as: UInt32.self)
        case .bfloat16:
          precondition(bits & 0xffff == 0 || host[row, column].isNaN, "Workbench: not a bfloat16")
          place.storeBytes(of: UInt16(bits >> 16), as: UInt16.self)
        }
      }
    }
  }

  func download(_ source: Matrix) -> HostMatrix {
    var host = HostMatrix(rows: source.rows, columns: source.columns)
    for row in 0..<source.rows {
      for column in 0..<source.columns {
        let place = source.address + (row * source.stride + column) * source.type.size
        let bits =
          source.type == .float32
          ? place.load(as: UInt32.self) : UInt32(place.load(as: UInt16.self)) << 16
        host[row, column] = Double(Float(bitPattern: bits))
      }
    }
    return host
  }

  /// The bytes of the elements, row by row.
  func bytes(_ source: Matrix) -> [UInt8] {
    let width = source.columns * source.type.size
    return (0..<source.rows).flatMap { row in
      UnsafeRawBufferPointer(start: source.address + row * source.stride * source.type.size, count: width)
    }
  }

  /// Whether the memory around a matrix made by ``matrix`` is unchanged.
  func surroundingsAreUntouched(_ view: Matrix) -> Bool {
    guard let block = blocks[view.address] else { preconditionFailure("Workbench: not one of its matrices") }
    let size = view.type.size
    let before = view.address - block.memory.address
    for offset in 0..<block.memory.byteCount {
      let (row, byte) = (offset - before).quotientAndRemainder(dividingBy: view.stride * size)
      let inside = offset >= before && row < view.rows && byte < view.columns * size
      if !inside && block.memory.address.load(fromByteOffset: offset, as: UInt8.self) != 0xff {
        return false
      }
    }
    return true
  }

  /// A packed weight with the values of `host` `[outputs, inputs]`.
  func freeze(_ host: HostMatrix, use: PackedUse = .forwardAndBackward) -> any PackedMatrix {
    device.freeze(outputs: host.rows, inputs: host.columns, use: use) { target in
      for (index, value) in host.values.enumerated() { target[index] = Float(value) }
    }
  }
}
