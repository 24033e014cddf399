#!/usr/bin/env bash
# A Ray cluster of several nodes on this machine, for development and tests: see --help.
set -euo pipefail

usage() {
  cat <<'HELP'
cluster/local.sh [N] [OPTIONS] [-- RAY_START_OPTIONS]   start a head and N workers [2]
cluster/local.sh stop [--name NAME]                     stop what was started, and nothing else

  --name NAME      of the cluster; others may run beside it [local]
  --cpus C         CPUs that each worker offers [1]
  --head-cpus C    CPUs that the head offers; with 0 only job drivers run there [1]
  --help           this text

Options after -- go to the `ray start` of each worker, as in
    cluster/local.sh 4 -- --num-gpus=1 --labels=market=spot --resources='{"disk": 1}'

Each node is a raylet with processes, ports, folder and address (127.0.0.2, 127.0.0.3, ...) of its
own; the head also has the dashboard, takes jobs and offers the resource `driver` for them. A node
that died or is silent is noticed within seconds. All is kept in /tmp/dass-ray-UID/NAME: NODE.log,
NODE.pid, and in `address` and `dashboard` where to reach the cluster. To lose a node on purpose:
    kill PID                               as before a spot node is taken away
    kill -KILL $(ps -o pid= -s PID)        as in a power cut
HELP
}

fail() {
  echo "error: $*" >&2
  exit 2
}

read_options() {
  action=start workers=2 name=local cpus=1 head_cpus=1 worker_options=()
  while (($#)); do
    case $1 in
      -h | --help) usage && exit ;;
      stop) action=stop ;;
      --name) name=${2-} && shift ;;
      --cpus) cpus=${2-} && shift ;;
      --head-cpus) head_cpus=${2-} && shift ;;
      --) worker_options=("${@:2}") && break ;;
      [0-9]*) workers=$1 ;;
      *) fail "'$1' is not known: see cluster/local.sh --help" ;;
    esac
    shift || fail "the last option needs a value"
  done
  # Ray puts sockets below the folder, and their paths may have 107 bytes.
  [[ $name =~ ^[A-Za-z0-9._-]{1,16}$ ]] || fail "--name needs 1 to 16 letters, digits or . _ -"
  [[ $cpus.$head_cpus =~ ^[0-9]+\.[0-9]+$ ]] || fail "--cpus and --head-cpus need whole numbers"
  [[ $workers =~ ^[0-9]{1,2}$ ]] || fail "N is a number up to 99, not $workers"
  dir=/tmp/dass-ray-$UID/$name
}

start_node() { # NODE IP OPTIONS: in a session of its own, by which all its processes are known
  # The machine's memory is shared by all nodes; Ray's default is 30% of it for each.
  setsid ray start --block --disable-usage-stats --log-color=false --node-name="$1" \
    --node-ip-address="$2" --temp-dir="$dir/$1" --dashboard-agent-listen-port=0 \
    --object-store-memory=500000000 "${@:3}" >"$dir/$1.log" 2>&1 </dev/null &
  echo $! >"$dir/$1.pid"
  disown # `wait` is for what stops nodes
}

await_node() { # NODE: until it has joined
  local node
  until grep -q "Ray runtime started" "$dir/$1.log"; do
    for node in head "$1"; do
      if ! kill -0 "$(<"$dir/$node.pid")" 2>/dev/null; then
        tail -n 5 "$dir/$node.log" >&2
        stop_nodes
        fail "$node ended; its log is $dir/$node.log; then cluster/local.sh stop --name $name"
      fi
    done
    sleep 0.1
  done
}

members() { # PID: the processes of the node whose first one it is; none if it is another's by now
  [[ $(ps -ww -o args= -p "$1") != *" --temp-dir=$dir/"* ]] || ps -o pid= -s "$1" || true
}

stop_node() { # NODE: as `ray stop` would, and by force after 20 s
  local pid tries=0
  pid=$(<"$dir/$1.pid")
  [[ -z $(members "$pid") ]] || kill -TERM "$pid"
  while [[ -n $(members "$pid") ]]; do
    # shellcheck disable=SC2046 # one word for each process
    ((++tries < 100)) || kill -KILL $(members "$pid")
    sleep 0.2
  done
}

stop_nodes() { # the head last, so that nobody misses it
  local file
  for file in "$dir"/node-*.pid; do
    [[ ! -e $file ]] || stop_node "$(basename "$file" .pid)" &
  done
  wait
  [[ ! -e $dir/head.pid ]] || stop_node head
}

start() {
  local head=127.0.0.2 ports worker # Ray would take the machine's own address for 127.0.0.1
  command -v ray >/dev/null || fail "no ray command: \`make setup\` installs it in .venv"
  mkdir -p "${dir%/*}"
  mkdir "$dir" 2>/dev/null || fail "$dir is there: cluster/local.sh stop --name $name"
  read -ra ports < <(python3 -c "
import socket
sockets = [socket.create_server(('$head', 0)) for _ in range(3)]
print(*(socket.getsockname()[1] for socket in sockets))")
  # A token in the home of whom has used Ray before would be asked for by the head, but not be sent
  # by workers: without a mode, Ray 2.60 does not even start them.
  export RAY_AUTH_MODE=${RAY_AUTH_MODE:-disabled}
  # Both the health checks and the keepalive: docs/RELIABILITY.md and docs/CLUSTERS.md say why.
  export RAY_grpc_client_keepalive_time_ms=2000 RAY_grpc_client_keepalive_timeout_ms=2000
  start_node head $head --head --port="${ports[0]}" --ray-client-server-port="${ports[1]}" \
    --dashboard-host=$head --dashboard-port="${ports[2]}" --num-cpus="$head_cpus" \
    --resources='{"driver": 1000}' --system-config='{
      "health_check_initial_delay_ms": 500, "health_check_period_ms": 500,
      "health_check_timeout_ms": 500, "health_check_failure_threshold": 3}'
  await_node head
  for ((worker = 1; worker <= workers; worker++)); do
    start_node "node-$worker" "127.0.0.$((worker + 2))" --address="$head:${ports[0]}" \
      --num-cpus="$cpus" "${worker_options[@]}"
  done
  for ((worker = 1; worker <= workers; worker++)); do
    await_node "node-$worker"
  done
  echo "$head:${ports[0]}" >"$dir/address"
  echo "http://$head:${ports[2]}" >"$dir/dashboard"
  echo "address    $(<"$dir/address")"
  echo "dashboard  $(<"$dir/dashboard")"
  echo "stop       cluster/local.sh stop --name $name"
}

stop() {
  [[ -d $dir ]] || fail "no cluster called $name was started"
  stop_nodes
  rm -rf "$dir"
}

read_options "$@"
venv=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin
[[ ! -d $venv ]] || PATH=$venv:$PATH
"$action"
