/** How the embedded server is set up: one machine, one house, small in memory, durable before it answers. */
const settings = {
  listen_addresses: '',
  max_connections: '100',
  shared_buffers: '128MB',
  // Nobody replicates from it, so the log needs only what a crash needs.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  // Money: an answer means that it is on the disk.
  fsync: 'on',
  synchronous_commit: 'on',
  // Saves the io worker processes, which short statements do not repay.
  io_method: 'sync',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  // Queue tables turn over quickly.
  autovacuum_naptime: '15s',
  autovacuum_vacuum_scale_factor: '0.05',
  unix_socket_permissions: '0700',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Failed statements are thrown to whoever asked, and their details can hold prompts: neither belongs in this log.
  log_min_messages: 'log',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
}

/** Nothing here survives a power cut or is meant to. */
const fastForTests = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200', shared_buffers: '64MB' }

export const writeSettings = (fast: boolean) => Object.entries({ ...settings, ...fast ? fastForTests : {} }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
