/** Ways to look at a value that decide where it goes. Pure. */

const empty = (value: unknown) => value === null || value === '' || Array.isArray(value) && value.length === 0

export const tests: Record<string, (subject: unknown, against: unknown) => boolean> = {
  is: (subject, against) => String(subject) === String(against),
  is_not: (subject, against) => String(subject) !== String(against),
  contains: (subject, against) => String(subject).toLowerCase().includes(String(against).toLowerCase()),
  starts_with: (subject, against) => String(subject).toLowerCase().startsWith(String(against).toLowerCase()),
  one_of: (subject, against) => (Array.isArray(against) ? against : String(against).split(',')).some(one => String(one).trim() === String(subject).trim()),
  greater: (subject, against) => Number(subject) > Number(against),
  less: (subject, against) => Number(subject) < Number(against),
  is_empty: subject => empty(subject),
  is_not_empty: subject => !empty(subject),
  is_true: subject => subject === true || subject === 'true',
}
export const testNames = Object.keys(tests)
