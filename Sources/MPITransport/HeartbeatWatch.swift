import COpenMPI
import Transport

/// Sends and receives the heartbeats: one receive posted, one send at a time. The last message is a goodbye:
/// this rank leaves.
struct HeartbeatWatch: ~Copyable {
  /// The time between two checks.
  let period: Duration
  private let next: Int32
  private let previous: Int32
  private let hasPeers: Bool
  private var heartbeat: Heartbeat
  private var inbound = cmpi_request()
  private var outbound: cmpi_request?
  private var isListening = false
  private var isLeaving = false
  private var mustSayGoodbye = false
  /// `nil` to look at once.
  private var nextLook: ContinuousClock.Instant?
  /// The bytes in transit: the incoming one, a beat, a goodbye.
  private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 3)

  init(rank: Int, size: Int, options: MPITransport.Options) {
    let now = ContinuousClock.now
    period = min(options.heartbeatInterval, options.heartbeatSilence) / 4
    (next, previous) = (Int32((rank + 1) % size), Int32((rank + size - 1) % size))
    heartbeat = Heartbeat(
      interval: options.heartbeatInterval, silence: options.heartbeatSilence, now: now)
    nextLook = now
    (bytes[0], bytes[1], bytes[2]) = (0, 1, 0)
    hasPeers = size > 1
    if hasPeers { listen() }
  }

  deinit { bytes.deallocate() }

  /// Whether both this rank and the previous one have said goodbye, or there is only one rank.
  var isOver: Bool { !isListening && !mustSayGoodbye && outbound == nil }

  mutating func sayGoodbye() {
    (isLeaving, mustSayGoodbye) = (true, hasPeers)
    nextLook = nil
  }

  /// Receives and sends what is due. Returns for how long the previous rank has been silent, if that is too
  /// long.
  mutating func look(now: ContinuousClock.Instant) -> Duration? {
    guard !isOver, nextLook.map({ now >= $0 }) ?? true else { return nil }
    nextLook = isLeaving ? nil : now + period
    var completion = cmpi_completion()
    if isListening && cmpi_test(&inbound, &completion) != 0 {
      isListening = false
      heartbeat.heard(now: now)
      if bytes[0] != 0 { listen() }
    }
    if var request = outbound { outbound = cmpi_test(&request, &completion) == 0 ? request : nil }
    if mustSayGoodbye && outbound == nil {
      send(2)
      mustSayGoodbye = false
    }
    switch heartbeat.look(now: now) {
    case .silence(let duration) where isListening: return duration
    case .beat where outbound == nil && !isLeaving: send(1)
    default: break
    }
    return nil
  }

  private mutating func listen() {
    isListening = cmpi_receive(bytes, 1, previous, Tag.heartbeat.number, &inbound) == 0
  }

  private mutating func send(_ index: Int) {
    var request = cmpi_request()
    if cmpi_send(bytes + index, 1, next, Tag.heartbeat.number, &request) == 0 { outbound = request }
  }
}
