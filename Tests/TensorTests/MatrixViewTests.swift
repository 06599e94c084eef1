import Tensor
import Testing

/// Views, and the memory that they show.
struct MatrixViewTests {
  @Test(arguments: [ElementType.float32, .bfloat16])
  func rowsAndColumnsShowTheSameMemory(_ type: ElementType) {
    let bench = Workbench()
    let values = HostMatrix.random(6, 9, seed: 1, as: type)
    let whole = bench.upload(values, as: type)
    let part = whole.rows(1..<5).columns(2..<8).rows(1..<3).columns(1..<4)
    #expect(bench.download(part) == values.rows(2..<4).columns(3..<6))
    #expect(part.stride == 9 && part.count == 6 && !part.isDense)
    #expect(part.rows(0..<1).isDense, "one row has no gaps")
    #expect(bench.download(whole.rows(6..<6)).values.isEmpty)
  }

  @Test func reshapingKeepsTheOrder() {
    let bench = Workbench()
    let values = HostMatrix.random(4, 6, seed: 2)
    let reshaped = bench.upload(values).reshaped(rows: 3, columns: 8)
    #expect(bench.download(reshaped).values == values.values)
  }

  @Test func memoryIsZeroedAndAligned() {
    let memory = DeviceMemory(byteCount: 1000)
    #expect(Int(bitPattern: memory.address) % 64 == 0)
    #expect(UnsafeRawBufferPointer(start: memory.address, count: 1000).allSatisfy { $0 == 0 })
  }

  /// The same code counts without memory and allocates with it; parts are aligned and do not overlap.
  @Test func aPlanNeedsWhatItSaid() {
    func plan(_ planner: inout ArenaPlanner) -> [Matrix] {
      [
        planner.matrix(rows: 3, columns: 5, type: .bfloat16),
        planner.matrix(rows: 0, columns: 5, type: .float32),
        planner.matrix(rows: 4, columns: 16, type: .float32),
        planner.matrix(rows: 1, columns: 1, type: .float32),
      ]
    }
    var counter = ArenaPlanner()
    _ = plan(&counter)
    #expect(counter.byteCount == 64 + 0 + 256 + 64)
    let memory = DeviceMemory(byteCount: counter.byteCount)
    var planner = ArenaPlanner(memory: memory)
    let parts = plan(&planner)
    #expect(planner.byteCount == counter.byteCount)
    #expect(parts.map { $0.address - memory.address } == [0, 64, 64, 320])
  }

  @Test func aMistakeTraps() async {
    await #expect(processExitsWith: .failure) {
      let memory = DeviceMemory(byteCount: 64)
      _ = memory.matrix(rows: 4, columns: 4, type: .float32).rows(3..<5)
    }
    await #expect(processExitsWith: .failure) {
      let memory = DeviceMemory(byteCount: 64)
      _ = memory.matrix(rows: 4, columns: 5, type: .float32)
    }
    await #expect(processExitsWith: .failure) {
      let memory = DeviceMemory(byteCount: 64)
      _ = memory.matrix(rows: 4, columns: 4, type: .float32).columns(0..<2).reshaped(rows: 2, columns: 4)
    }
  }
}
