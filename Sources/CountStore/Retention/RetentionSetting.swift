public import Counting

/// One of the settings that the database keeps for its retention, by the name of its option.
public enum RetentionSetting: String, Sendable, CaseIterable {
  case dedupHorizon = "dedup-horizon"
  case minutes = "keep-minutes"
  case hours = "keep-hours"
  case deadLetters = "keep-dead-letters"
  case quarantine = "keep-quarantine"

  /// Whether it may be "for ever".
  public var mayBeForEver: Bool { self == .deadLetters || self == .quarantine }
}

extension RetentionPolicy {
  /// A setting in seconds; nil is for ever.
  public subscript(setting: RetentionSetting) -> Int64? {
    switch setting {
    case .dedupHorizon: dedupHorizon
    case .minutes: minutes
    case .hours: hours
    case .deadLetters: deadLetters
    case .quarantine: quarantine
    }
  }

  /// What a setting comes to beside the others: minutes are kept for the deduplication horizon at least, hours for as
  /// long as minutes.
  public func effective(_ setting: RetentionSetting) -> Int64? {
    switch setting {
    case .minutes: max(minutes, dedupHorizon)
    case .hours: max(hours, minutes, dedupHorizon)
    case .dedupHorizon, .deadLetters, .quarantine: self[setting]
    }
  }
}

/// Settings to change, each in seconds or for ever; the others stay as they are.
public struct RetentionChange: Sendable, Equatable {
  /// A length of time.
  public enum Length: Sendable, Equatable {
    case seconds(Int64)
    case forEver

    var seconds: Int64? {
      switch self {
      case .seconds(let seconds): seconds
      case .forEver: nil
      }
    }
  }

  /// What was given. `forEver` only where the setting may be.
  public var lengths: [RetentionSetting: Length]

  /// What was given.
  public init(_ lengths: [RetentionSetting: Length] = [:]) { self.lengths = lengths }

  /// The policy with these settings.
  public func applied(to policy: RetentionPolicy) -> RetentionPolicy {
    var policy = policy
    for (setting, length) in lengths {
      switch (setting, length.seconds) {
      case (.dedupHorizon, let seconds?): policy.dedupHorizon = seconds
      case (.minutes, let seconds?): policy.minutes = seconds
      case (.hours, let seconds?): policy.hours = seconds
      case (.deadLetters, let seconds): policy.deadLetters = seconds
      case (.quarantine, let seconds): policy.quarantine = seconds
      case (_, nil): break
      }
    }
    return policy
  }

  /// The settings that were given and differ from a policy's, in their order.
  public func differing(from policy: RetentionPolicy) -> [RetentionSetting] {
    let given = applied(to: policy)
    return RetentionSetting.allCases.filter { given[$0] != policy[$0] }
  }
}

/// The settings of a database.
public struct StoredRetention: Sendable, Equatable {
  /// What is kept.
  public var policy: RetentionPolicy
  /// When they were last changed, by the database's clock.
  public var changedAt: Timestamp
  /// The role that changed them.
  public var changedBy: String
}

/// What a change of the settings does, or would do.
public struct RetentionChangeReport: Sendable, Equatable {
  /// The settings before; the defaults, where none were stored.
  public var old: RetentionPolicy
  /// The settings with the change.
  public var new: RetentionPolicy
  /// What the next run of retention would do by the new ones; nil when no setting is made shorter.
  public var plan: RetentionPlan?
  /// What it would do by the old ones, all the same; nil as above.
  public var planBefore: RetentionPlan?
  /// Whether no settings were stored before.
  public var isFirst = false
  /// Whether the change is stored.
  public var isStored = false

  /// The settings that change.
  public var changed: [RetentionSetting] { RetentionSetting.allCases.filter { old[$0] != new[$0] } }

  /// Settings that are made shorter by more than half.
  public var halved: [RetentionSetting] {
    changed.filter { setting in
      guard let new = new[setting] else { return false }
      guard let old = old[setting] else { return true }
      return new < old - new
    }
  }

  /// Whether something is lost by it that is not lost anyway, or may be soon.
  public var needsConfirmation: Bool {
    if !isFirst, !halved.isEmpty { return true }
    guard let plan, let planBefore else { return false }
    return plan.destroysMore(than: planBefore)
  }
}
