import CountStore
import Kafka
import Threading

/// Where each partition goes on: what Kafka gives and takes, and what PostgreSQL grants.
extension IngestionWorker {
  /// Forgets all that is not committed; every partition waits for its position.
  func startOver(_ consumer: Consumer) {
    committer.withdrawClaim()
    builder.reset()
    ready = nil
    readingTime = 0
    isHolding = false
    // Halted ones too: nothing of them is wanted any more.
    let all = assignment.entries.map(\.key.topicPartition)
    if !all.isEmpty { try? consumer.pause(all) }
    assignment.startOver()
  }

  func claimIfNeeded(_ consumer: Consumer) {
    assignment.reconsiderFenced()
    guard inHand == nil, assignment.hasUnclaimed else { return }
    var requests: [ClaimRequest] = []
    let began = MonotonicInstant.now()
    for (index, entry) in assignment.entries.enumerated() where assignment.isDue(index) {
      // Each request may take its time. Neither a stop must wait for all of them, nor the partitions that can be read,
      // nor Kafka's group, which expects this member to poll: those that are left are for the next turn.
      guard !isStopping() else { return }
      guard began.elapsed < .milliseconds(300) else { break }
      do {
        var (low, high) = try consumer.watermarks(of: entry.key.topicPartition, timeout: 2000)
        let isOutOfRange = entry.trouble?.isOutOfRange == true
        if entry.epoch == nil || isOutOfRange {
          // Reading may begin at this offset: it is asked for twice, as one response may be the log's end instead (see
          // `ClaimRequest.gapIsCertain`).
          low = min(low, try consumer.watermarks(of: entry.key.topicPartition, timeout: 2000).low)
        }
        assignment[index].logEnd = high
        assignment.recordResponse(index)
        requests.append(
          ClaimRequest(
            key: entry.key,
            heldEpoch: entry.epoch,
            mayTake: entry.mayTake,
            lowWatermark: low,
            gapIsCertain: isOutOfRange,
            passesGap: options.onGap == .continue
          )
        )
      } catch {
        observe(.brokerError(error))
        assignment.recordSilence(index)
        break
      }
    }
    guard !requests.isEmpty else { return }
    inHand = .claim(keys: Set(requests.map(\.key)), version: assignment.version)
    committer.submit(.claim(requests))
  }

  func begin(_ claims: [PartitionClaim], asked: Set<PartitionKey>, _ consumer: Consumer) {
    for claim in claims { remember(claim) }
    let claims = claims.filter { !haltIfHopeless($0) }
    do {
      let positions = claims.map { ($0.key.topicPartition, offset: $0.nextOffset) }
      if !positions.isEmpty { try consumer.resume(positions, timeout: 2000) }
      failedSeeks = 0
    } catch {
      // Just assigned, or the broker is away: the partitions stay unclaimed and are asked for again.
      observe(.brokerError(error))
      failedSeeks += 1
      if failedSeeks >= 3 {
        // Or librdkafka has given a partition up before it was claimed: its log begins behind the offset that it
        // was assigned at.
        failedSeeks = 0
        needsPositions = true
        needsRestart = true
      }
      for claim in claims {
        if let index = assignment.index(of: claim.key) { assignment.postpone(index, milliseconds: 100) }
      }
      return
    }
    for claim in claims {
      guard let index = assignment.index(of: claim.key) else { continue }
      assignment[index].next = claim.nextOffset
      progress.begin(claim)
      assignment[index].reachedEnd = false
      assignment[index].standing = .reading
    }
    let refused = asked.filter { key in
      assignment.index(of: key).map { assignment[$0].standing == .unclaimed } ?? false
    }.sorted()
    for key in refused {
      if let index = assignment.index(of: key) {
        assignment[index].standing = .fenced(since: .now())
      }
    }
    if !refused.isEmpty { observe(.fenced(refused)) }
    observe(.claimed(claims))
  }

  /// Stops a partition that would only fail again where it is to be read now.
  private func haltIfHopeless(_ claim: PartitionClaim) -> Bool {
    guard let index = assignment.index(of: claim.key) else { return false }
    if let gap = claim.gap, claim.nextOffset < gap.upperBound {
      remember(claim)
      halt(
        index,
        "Kafka has deleted offsets \(gap.lowerBound) to \(gap.upperBound - 1) before they were counted. To record the "
          + "loss and go on behind them, start the worker with --on-gap continue"
      )
      return true
    }
    guard let trouble = assignment[index].trouble else { return false }
    if trouble.isOutOfRange, claim.nextOffset > assignment[index].logEnd {
      remember(claim)
      halt(index, Self.shorterLog(position: claim.nextOffset, end: assignment[index].logEnd))
      return true
    }
    if trouble.isOutOfRange, claim.gap != nil { assignment[index].trouble = nil }
    guard trouble.failures >= Assignment.Trouble.failureLimit, claim.gap == nil else { return false }
    remember(claim)
    halt(
      index,
      "what is at offset \(trouble.offset) cannot be read, tried \(trouble.failures) times: \(trouble.reason)"
    )
    return true
  }

  func remember(_ claim: PartitionClaim) {
    guard let index = assignment.index(of: claim.key) else { return }
    if assignment[index].epoch != claim.epoch { assignment[index].mayTake = assignment[index].epoch == nil }
    assignment[index].epoch = claim.epoch
  }

  /// Runs on the polling thread, inside `poll`: it must not block for long, or the group waits.
  func rebalanced(_ consumer: Consumer, _ change: Rebalance) {
    switch change {
    case .assigned(let partitions):
      observe(.assigned(partitions.map(PartitionKey.init)))
      startOver(consumer)
      assignment.add(partitions.map(PartitionKey.init))
      do {
        // Paused until the claim says where to begin: PostgreSQL may be away, and the group must not wait for it.
        try consumer.assign(partitions.map { ($0, offset: 0) }, paused: true)
      } catch {
        observe(.brokerError(error))
      }
    case .revoked(let partitions):
      giveUp(partitions, lost: false, consumer)
    case .lost(let partitions):
      giveUp(partitions, lost: true, consumer)
    }
  }

  private func giveUp(_ partitions: [TopicPartition], lost: Bool, _ consumer: Consumer) {
    let keys = partitions.map(PartitionKey.init)
    observe(.revoked(keys, lost: lost))
    // Let the transaction in flight end, so that the next owner need not read it again. If it takes too long, the
    // next owner's claim decides: either it waits for the commit, or the commit finds a newer epoch.
    if !lost, case .commit = inHand, let result = committer.result(waiting: 2000) {
      inHand = nil
      switch result {
      case .committed(let report): record(report)
      case .failed(let error, let wait): observe(.retrying(error, afterMilliseconds: wait))
      case .claimed, .unmoved, .fenced, .outdated: break
      }
    }
    reportProgress(consumer)
    startOver(consumer)
    assignment.remove(keys)
    for key in keys {
      progress.forget(key)
      rejections.forget(key)
    }
    do {
      try consumer.unassign(partitions)
    } catch {
      observe(.brokerError(error))
    }
  }
}
