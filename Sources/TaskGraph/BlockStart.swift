/// The values with which the columns of a task start.
package enum BlockStart: String, Sendable, Hashable, CaseIterable {
  /// A is random and B is zero, so that the task starts from the model as its prerequisites have changed it.
  case fresh
  /// The best approximation of minus the sum of the prerequisites' columns, so that the task starts near the base
  /// model, with directions that its prerequisites have learnt. A task without prerequisites starts fresh.
  case base
}
