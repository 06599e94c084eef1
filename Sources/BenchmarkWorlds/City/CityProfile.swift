import Foundation

/// Usual counts and travel times by hour. See `Profile/README.md` for their source.
struct CityProfile: Sendable {
  /// A median of working days, with its spread as a standard deviation.
  struct Usual: Sendable {
    let median: Double
    let spread: Double
  }

  /// An hour at a detector.
  struct Hour: Sendable {
    let detector: Int
    let hour: Int
    /// Vehicles in 15 minutes.
    let count: Usual
    /// The median as a share of that of the detector's busiest hour.
    let share: Double
  }

  /// The hours of all detectors.
  let hours: [Hour]
  /// Seconds of travel time on each stretch, by hour, in the order of their numbers.
  let stretches: [[Int: Usual]]

  static let shared = CityProfile(PackageResources.profile_csv)

  private init(_ csv: [UInt8]) {
    var counts: [Int: [Int: Usual]] = [:]
    var times: [Int: [Int: Usual]] = [:]
    for line in String(decoding: csv, as: UTF8.self).split(separator: "\n").dropFirst() {
      let fields = line.split(separator: ",")
      guard fields.count == 5, let id = Int(fields[1]), let hour = Int(fields[2]),
        let median = Double(fields[3]), let spread = Double(fields[4])
      else { preconditionFailure("profile.csv, which is part of the program, has the line \(line)") }
      let usual = Usual(median: median, spread: spread)
      if fields[0] == "detector" {
        counts[id, default: [:]][hour] = usual
      } else {
        times[id, default: [:]][hour] = usual
      }
    }
    hours = counts.sorted { $0.key < $1.key }.flatMap { detector, byHour in
      let peak = byHour.values.map(\.median).max() ?? 1
      return byHour.sorted { $0.key < $1.key }.map { hour, usual in
        Hour(detector: detector, hour: hour, count: usual, share: usual.median / peak)
      }
    }
    stretches = times.sorted { $0.key < $1.key }.map(\.value)
  }

  /// The hours in which `demand` is usual.
  func hours(with demand: Demand) -> [Hour] {
    hours.filter { demand.shares.contains($0.share) }
  }
}
