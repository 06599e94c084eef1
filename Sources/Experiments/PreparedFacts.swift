/// What a measurement is of, for records.
extension CellRunner.Prepared {
  package var benchmark: String { workflow.name }
  package var seed: Int { cell.seed }
  package var tasks: [String] { workflow.tasks.map(\.name) }

  /// The method, with the variant if it is one.
  package var method: String {
    cell.variant.isEmpty ? cell.method.name : "\(cell.method.name) (\(cell.variant))"
  }

  /// The path of the model's files, and what identifies it.
  package var model: (path: String, identity: String) { (material.modelPath, material.modelIdentity) }
  package var dataFolder: String { workflow.dataFolder }
  /// The number of threads that compute.
  package var workers: Int { material.device(type: type).workerCount }
  /// float32 or bfloat16.
  package var precision: String { type.rawValue }
}
