/** A file name somebody gave, without folders and without anything that could act in a header or a terminal; null where nothing is left. */
export function tidyName(raw: string): string | null {
  const name = [...raw.toWellFormed().split(/[/\\]/).at(-1)!.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"<>|*?:]/gu, ' ').replace(/\s+/g, ' ').trim()].slice(0, 200).join('')
  return name === '' || /^\.+$/.test(name) ? null : name
}
