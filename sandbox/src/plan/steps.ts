/** The steps an infographic is asked for: their labels where given, their number otherwise. */
export interface Steps {
  steps: string[]
  topic: string | null
}

const spelled: Record<string, number> = { two: 2, three: 3, four: 4, five: 5, six: 6, 两: 2, 三: 3, 四: 4, 五: 5, 六: 6 }
const stepsMax = 6
const labelMax = 60

export function readSteps(prompt: string): Steps {
  const counted = /(\d+|two|three|four|five|six|[两三四五六])\s*(?:[\p{L}-]+\s+)?(?:steps?|stages?|phases?|tips?|points?|parts?|facts|pasos|étapes|schritte|个?步骤?)/iu.exec(prompt)
  const numbered = [...prompt.matchAll(/(?:^|[\s:;,])\d[.)]\s*([^,;.\d\n]+)/g)].map((match) => match[1]!)
  const listed = /(?:steps?|stages?|phases?|tips?|步骤|步|pasos|étapes|schritte|[\p{L}]+)\s*[:：—]\s*(.+)$/isu.exec(prompt)
  const pieces = numbered.length >= 2 ? numbered : listed ? listed[1]!.split(/[,;，、；\n]|→|->|\s+and\s+|\s+y\s+|\s+et\s+|\s+und\s+/) : []
  const labels = pieces.map((label) => label.trim().replace(/^(?:and|then)\s+/i, '').replace(/[.。]$/, '').slice(0, labelMax)).filter(Boolean).slice(0, stepsMax)
  const number = counted ? (spelled[counted[1]!.toLowerCase()] ?? Number(counted[1])) : 3
  const steps = labels.length >= 2 ? labels : Array.from({ length: Math.max(2, Math.min(stepsMax, number)) }, () => '')
  const about = /\b(how to\s+)?(?:(?<=how to\s)|about\s|on\s|of\s|explaining\s|for\s)([a-z][\w\s'-]{2,40}?)(?=,|\.|:|\bwith\b|\bin\b|$)/i.exec(prompt)
  const topic = about ? `${about[1] ? 'How to ' : ''}${about[2]!.trim()}` : null
  return { steps, topic: topic ? topic[0]!.toUpperCase() + topic.slice(1) : null }
}
