"""A session store as people write one in an afternoon: it prints prose, and it keeps its records without a lock.

The API and the words are those of the document that the suite `resumption` grew from.
"""

import argparse
import json
import os
import shutil
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

PHASES = ["initializing", "investigating", "planning", "approval", "executing", "validating", "completed", "failed", "abandoned"]
FINAL = PHASES[-3:]
RESUMABLE = ["approval", "investigating", "planning"]


def now():
    return datetime.now(timezone.utc)


def stamp():
    return now().isoformat().replace("+00:00", "Z")


def parsed(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Refused(Exception):
    pass


class Store:
    def __init__(self, root):
        self.root = Path(root)

    def path(self, session):
        return self.root / session / "state.json"

    def load(self, session):
        try:
            return json.loads(self.path(session).read_text())
        except FileNotFoundError:
            raise Refused(f"Session not found: {session}")

    def save(self, state):
        state["last_updated"] = stamp()
        path = self.path(state["agent_id"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(state, indent=2))

    def create(self, agent, purpose, metadata, session):
        session = session or f"agent-{now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"
        self.save({
            "agent_id": session, "agent_name": agent, "purpose": purpose, "created_at": stamp(), "phase": "initializing",
            "metadata": metadata or {}, "resume_ready": False, "history": [], "error_count": 0, "last_error": None,
            "finalized_at": None, "duration_seconds": None, "summary": None,
        })
        return session

    def update(self, session, phase, metadata, error):
        state = self.load(session)
        if phase is not None:
            if phase not in PHASES:
                raise Refused(f"Invalid phase: {phase}")
            state["history"].append({"from_phase": state["phase"], "to_phase": phase, "timestamp": stamp()})
            state["phase"] = phase
            state["resume_ready"] = phase in RESUMABLE
        state["metadata"].update(metadata or {})
        if error is not None:
            state["error_count"] += 1
            state["last_error"] = error
        self.save(state)

    def decide(self, session):
        try:
            state = self.load(session)
        except Refused:
            return "not_found"
        except ValueError:
            return "corrupt"
        if state["phase"] in FINAL:
            return "finalized"
        if not state["resume_ready"]:
            return "not_ready"
        if state["phase"] not in RESUMABLE:
            return "phase_not_resumable"
        if now() - parsed(state["last_updated"]) >= timedelta(minutes=30):
            return "timeout"
        if state["error_count"] >= 3:
            return "too_many_errors"
        return "session_resumable"

    def finalize(self, session, outcome, summary):
        if outcome not in FINAL:
            raise Refused(f"Invalid outcome: {outcome}")
        state = self.load(session)
        state["history"].append({"from_phase": state["phase"], "to_phase": outcome, "timestamp": stamp()})
        state.update(phase=outcome, resume_ready=False, finalized_at=stamp(), summary=summary)
        state["duration_seconds"] = (now() - parsed(state["created_at"])).total_seconds()
        self.save(state)

    def list(self, active_only, agent):
        states = [json.loads(path.read_text()) for path in self.root.glob("*/state.json")]
        states = [s for s in states if (not active_only or s["phase"] not in FINAL) and (agent is None or s["agent_name"] == agent)]
        return sorted(states, key=lambda s: s["created_at"])

    def cleanup(self, hours):
        removed = 0
        for path in list(self.root.glob("*/state.json")):
            if now() - parsed(json.loads(path.read_text())["last_updated"]) > timedelta(hours=hours):
                shutil.rmtree(path.parent)
                removed += 1
        return removed


def arguments():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create")
    create.add_argument("--agent", required=True)
    create.add_argument("--purpose", required=True)
    create.add_argument("--metadata", type=json.loads)
    create.add_argument("--id")
    update = verbs.add_parser("update")
    update.add_argument("id")
    update.add_argument("--phase")
    update.add_argument("--metadata", type=json.loads)
    update.add_argument("--error")
    for verb in ["should-resume", "get"]:
        verbs.add_parser(verb).add_argument("id")
    finalize = verbs.add_parser("finalize")
    finalize.add_argument("id")
    finalize.add_argument("outcome")
    finalize.add_argument("--summary")
    listing = verbs.add_parser("list")
    listing.add_argument("--active-only", action="store_true")
    listing.add_argument("--agent")
    verbs.add_parser("cleanup").add_argument("--hours", type=float, required=True)
    return parser.parse_args()


def main():
    args = arguments()
    store = Store(os.environ.get("AGENT_SESSION_DIR", ".claude/session"))
    if args.verb == "create":
        print(f"Created session: {store.create(args.agent, args.purpose, args.metadata, args.id)}")
    elif args.verb == "update":
        store.update(args.id, args.phase, args.metadata, args.error)
        print(f"Updated session: {args.id}")
    elif args.verb == "should-resume":
        reason = store.decide(args.id)
        resume = reason == "session_resumable"
        print(f"Should resume: {'YES' if resume else 'NO'} ({reason})")
        return 0 if resume else 1
    elif args.verb == "get":
        print(json.dumps(store.load(args.id), indent=2))
    elif args.verb == "list":
        for state in store.list(args.active_only, args.agent):
            print(f"  {state['agent_id']}  [{state['phase']}]  {state['agent_name']}  since {state['created_at']}")
    elif args.verb == "finalize":
        store.finalize(args.id, args.outcome, args.summary)
        print(f"Finalized session: {args.id} ({args.outcome})")
    elif args.verb == "cleanup":
        print(f"Cleaned up {store.cleanup(args.hours)} session(s)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as refused:
        print(f"Error: {refused}", file=sys.stderr)
        sys.exit(2)
