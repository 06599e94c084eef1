/// The rules behind the `chain`, `tree` and `diamond` data. Every gold answer is computed here and nowhere else.
package enum RelayRules {
  /// The track on which a wagon leaves the turntable of station number `station`.
  ///
  /// - Parameters:
  ///   - station: the station's number, from 1.
  ///   - arrival: the track on which the wagon arrives.
  ///   - handle: the position of the turntable's handle.
  package static func departure(station: Int, arrival: Track, handle: Handle) -> Track {
    arrival.turned(by: notches(station: station, handle: handle))
  }

  /// The track on which the wagon that is called leaves a station with two arrivals, whose turntable is fixed. In a
  /// diamond, every third station is one.
  package static func departure(station: Int, called: Track) -> Track {
    called.turned(by: station / 3 % 3)
  }

  /// By how many tracks the turntable turns. Every station's handle is mounted in its own way: in half of the stations it
  /// works the other way round, and its first position is different.
  static func notches(station: Int, handle: Handle) -> Int {
    let position = handle == .left ? 0 : handle == .middle ? 1 : 2
    return station % 2 == 0 ? position + station / 2 : station / 2 + 3 - position
  }
}

/// One of the three tracks around a turntable.
package enum Track: String, WorldAnswer {
  case one = "track one"
  case two = "track two"
  case three = "track three"

  /// The track that is `count` tracks further round.
  func turned(by count: Int) -> Track {
    let tracks = Self.allCases
    let place = tracks.firstIndex(of: self) ?? 0
    return tracks[(place + count) % tracks.count]
  }
}

/// The position of a turntable's handle.
package enum Handle: CaseIterable, Sendable { case left, middle, right }
