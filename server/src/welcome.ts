/** What the server says when it is up: where it is, the key on the very first boot, and one call that makes a picture. */
export interface Welcome { url: string | null; firstKey: string | null; keyFile: string; roles: string[]; embedded: boolean; dataDir: string }

export function writeWelcome({ url, firstKey, keyFile, roles, embedded, dataDir }: Welcome): string {
  if (url === null) return `Plantain works (${roles.join(' and ')}).`
  const lines = [`Plantain is up on ${url}`, `  data      ${dataDir}${embedded ? ' (with its own PostgreSQL)' : ''}`, `  reference ${url}/docs`]
  if (firstKey === null) return [...lines, `  test key  in ${keyFile}, if it is still there`, ''].join('\n')
  return [...lines,
    `  test key  ${firstKey}   (shown once; also in ${keyFile})`,
    '',
    'Make a picture, and wait for it:',
    '',
    `  curl -s '${url}/plantain/v1/tasks?wait=30' -H 'Authorization: Bearer ${firstKey}' \\`,
    `    -H 'Content-Type: application/json' -d '{"model":"sandbox-1","prompt":"a lighthouse by the sea at sunset"}'`,
    '',
    'The answer names the picture under outputs[0].url: open it, or',
    '',
    `  npm run -s plantain -- generate "a lighthouse by the sea at sunset"`,
    '',
    'which saves it here. Test keys draw everything on the built-in sandbox model: offline and free.',
    ''].join('\n')
}
