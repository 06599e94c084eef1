/// What a measurement is of, for records.
extension CellRunner.Prepared {
  package var benchmark: String { workflow.name }
  package var seed: Int { cell.seed }
  /// Whether the method trains.
  package var trains: Bool { cell.method.trains }
  package var tasks: [String] { workflow.tasks.map(\.name) }

  /// The method, with the variant if it is one.
  package var method: String {
    cell.fullVariant.isEmpty ? cell.method.name : "\(cell.method.name) (\(cell.fullVariant))"
  }

  /// A result of this measurement with its names, which are not those in a file that someone else has written.
  package func labelled(_ result: CellResult) -> CellResult {
    var result = result
    (result.benchmark, result.method) = (workflow.name, cell.method.name)
    (result.variant, result.seed) = (cell.variant, cell.seed)
    return result
  }

  /// The path of the model's files, and what identifies it.
  package var model: (path: String, identity: String) { (material.modelPath, material.modelIdentity) }
  package var dataFolder: String { workflow.dataFolder }
  /// The number of threads that compute.
  package var workers: Int { material.device(type: type).workerCount }
  /// float32 or bfloat16.
  package var precision: String { type.rawValue }
}
