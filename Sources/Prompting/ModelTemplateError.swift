import InputErrors

/// Why the chat template of a model cannot be used, with the model's path.
package struct ModelTemplateError: InputError {
  /// The model's files.
  package let model: String
  /// What is wrong with the template.
  package let problem: any InputError

  package init(model: String, _ problem: any InputError) {
    (self.model, self.problem) = (model, problem)
  }

  package var description: String { "\(model): \(problem)" }
}
