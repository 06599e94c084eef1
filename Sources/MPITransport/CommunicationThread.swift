import COpenMPI
import Dispatch
import Foundation
import Locking
import Transport

/// The thread that makes every MPI call. Other threads give it orders.
final class CommunicationThread: Sendable {
  enum Order {
    case start(Transfer)
    case abort(AbortNotice, Int32)
    case finish
  }

  /// This rank and the number of ranks; set once MPI has started.
  let joined = Promise<Result<(Int, Int), TransportError>>()
  /// Set when MPI has ended.
  let finished = Promise<Void>()

  private let orders = Locked<[Order]>([])
  private let doorbell = DispatchSemaphore(value: 0)
  private let options: MPITransport.Options
  private let report: @Sendable (AbortNotice) -> Void

  init(options: MPITransport.Options, report: @escaping @Sendable (AbortNotice) -> Void) {
    (self.options, self.report) = (options, report)
    let thread = Thread { self.run() }
    thread.name = "communication"
    thread.start()
  }

  func order(_ order: Order) {
    orders.withLock { $0.append(order) }
    doorbell.signal()
  }

  private func run() {
    var (provided, rank, size): (Int32, Int32, Int32) = (0, 0, 1)
    let error = cmpi_start(&provided, &rank, &size)
    if let refusal = refusal(error, provided) {
      joined.keep(.failure(refusal))
      return
    }
    joined.keep(.success((Int(rank), Int(size))))

    var flight = Flight(largestPart: options.largestPart)
    var watch = HeartbeatWatch(rank: Int(rank), size: Int(size), options: options)
    var lastEvent = ContinuousClock.now
    var isFinishing = false
    while true {
      let news = orders.withLock { orders in
        defer { orders.removeAll(keepingCapacity: true) }
        return orders
      }
      for order in news {
        switch order {
        case .start(let transfer): flight.start(transfer)
        case .abort(let notice, let code): abort(notice, code)
        case .finish:
          isFinishing = true
          flight.cancelReceives()
          watch.sayGoodbye()
        }
      }
      let moved = flight.poll()
      let now = ContinuousClock.now
      if moved || !news.isEmpty { lastEvent = now }
      if let silence = watch.look(now: now) {
        let silent = (Int(rank) + Int(size) - 1) % Int(size)
        let message =
          "rank \(silent) has been silent for \(silence.components.seconds) s; it is stopped or cut off"
        abort(AbortNotice(rank: Int(rank), suspect: silent, message: message), options.silenceExitCode)
      }
      if isFinishing && flight.isEmpty && watch.isOver { break }
      pause(since: lastEvent, now: now, isIdle: flight.isEmpty && !isFinishing, watch)
    }
    _ = cmpi_finish()
    finished.keep(())
  }

  /// Keeps polling for 20 µs after the last event, then sleeps for 1/64 of the time since then, up to 0.5 ms:
  /// the short sleeps of a wait cost 2 ms of processor time in all, the long ones about 3 % of a core.
  /// With nothing in flight it sleeps until an order comes or a heartbeat is due.
  private func pause(
    since event: ContinuousClock.Instant, now: ContinuousClock.Instant, isIdle: Bool,
    _ watch: borrowing HeartbeatWatch
  ) {
    if isIdle {
      if watch.isOver { doorbell.wait() } else { doorbell.wait(timeout: watch.period) }
    } else if now - event > .microseconds(20) {
      doorbell.wait(timeout: min(max((now - event) / 64, .microseconds(5)), .microseconds(500)))
    }
  }

  private func abort(_ notice: AbortNotice, _ code: Int32) {
    report(notice)
    // Lets mpirun read the line before it learns of the abort.
    Thread.sleep(forTimeInterval: 0.1)
    cmpi_abort(code)
  }

  private func refusal(_ error: Int32, _ provided: Int32) -> TransportError? {
    guard error == 0 else {
      return .cannotStart(
        problem: "MPI did not start: \(mpiText { cmpi_error_text(error, $0) })",
        remedy: "start the program with mpirun or srun")
    }
    guard cmpi_has_threads(provided) != 0 else {
      return .cannotStart(
        problem: "this MPI was built without threads", remedy: "install one with MPI_THREAD_FUNNELED")
    }
    guard cmpi_largest_tag() >= Tag.largest.number else {
      return .cannotStart(
        problem: "this MPI supports tags only up to \(cmpi_largest_tag())",
        remedy: "start with --mca pml ob1")
    }
    return nil
  }
}
