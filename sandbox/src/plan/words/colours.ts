/** Colour words in the languages we read, as they are written before or after the noun. */

const list = `
red #d2352f | crimson #b3122f | scarlet #c8241f | burgundy #6b1a2c | maroon #6e1f2a | orange #ee7d2b | yellow #f5c93a | mustard #d1a02a
gold #d9a441 | golden #d9a04e | green #3f9b4f | emerald #0f8a5f | olive #7d8040 | mint #a6dcc2 | lime #9bcf3a | sage #9caf88 | teal #1f8f8f
turquoise #35c4be | cyan #2fc6e0 | blue #2f6fd0 | navy #1c2f5a | azure #4a9be8 | indigo #3d3a9a | purple #7d4bc4 | violet #7d4bc4
lavender #c3b1e6 | lilac #c8a2d8 | magenta #d0339b | pink #f08cae | brown #7a4b2b | beige #e6d8bf | cream #f5ecd8 | ivory #f6f1e1 | tan #c9a27a
white #f6f6f4 | black #202124 | gray #9a9da1 | grey #9a9da1 | silver #c7cace | charcoal #3a3d42 | peach #f7c3a0 | coral #f2766b | salmon #f29a86
pastel #f3d9e4 | amber #f0a02c | bronze #a9713a | copper #b8683c | khaki #b5a77a | terracotta #c4633f | ginger #d98a3d
红 #d2352f | 红色 #d2352f | 橘色 #e8923a | 橘 #e8923a | 橙 #ee7d2b | 橙色 #ee7d2b | 黄色 #f5c93a | 黄 #f5c93a | 绿色 #3f9b4f | 绿 #3f9b4f | 蓝 #2f6fd0 | 蓝色 #2f6fd0
紫色 #7d4bc4 | 紫 #7d4bc4 | 粉色 #f08cae | 粉红色 #f08cae | 黑色 #202124 | 黑 #202124 | 白色 #f6f6f4 | 白 #f6f6f4 | 金色 #d9a441 | 银色 #c7cace | 灰色 #9a9da1 | 棕色 #7a4b2b
أحمر #d2352f | حمراء #d2352f | أزرق #2f6fd0 | زرقاء #2f6fd0 | أبيض #f6f6f4 | بيضاء #f6f6f4 | أسود #202124 | سوداء #202124 | أخضر #3f9b4f | خضراء #3f9b4f | أصفر #f5c93a | صفراء #f5c93a | وردي #f08cae | برتقالي #ee7d2b | بني #7a4b2b
लाल #d2352f | नीला #2f6fd0 | नीली #2f6fd0 | नीले #2f6fd0 | हरा #3f9b4f | हरी #3f9b4f | हरे #3f9b4f | पीला #f5c93a | पीली #f5c93a | पीले #f5c93a | सफेद #f6f6f4 | सफ़ेद #f6f6f4 | काला #202124 | काली #202124 | काले #202124 | गुलाबी #f08cae | भूरा #7a4b2b | नारंगी #ee7d2b
rojo #d2352f | roja #d2352f | azul #2f6fd0 | verde #3f9b4f | amarillo #f5c93a | amarilla #f5c93a | blanco #f6f6f4 | blanca #f6f6f4 | negro #202124 | negra #202124 | rosado #f08cae | morado #7d4bc4
rouge #d2352f | bleu #2f6fd0 | bleue #2f6fd0 | vert #3f9b4f | verte #3f9b4f | jaune #f5c93a | blanc #f6f6f4 | blanche #f6f6f4 | noir #202124 | noire #202124
rot #d2352f | rote #d2352f | roter #d2352f | rotes #d2352f | blau #2f6fd0 | blaue #2f6fd0 | blaues #2f6fd0 | grün #3f9b4f | grüne #3f9b4f | gelb #f5c93a | gelbe #f5c93a | weiß #f6f6f4 | weiße #f6f6f4 | schwarz #202124 | schwarze #202124
vermelho #d2352f | vermelha #d2352f | amarelo #f5c93a | preto #202124 | preta #202124 | branco #f6f6f4 | rosso #d2352f | rossa #d2352f | blu #2f6fd0 | giallo #f5c93a | nero #202124 | bianco #f6f6f4
красный #d2352f | красная #d2352f | красное #d2352f | синий #2f6fd0 | синяя #2f6fd0 | зелёный #3f9b4f | зеленый #3f9b4f | зелёная #3f9b4f | жёлтый #f5c93a | желтый #f5c93a | белый #f6f6f4 | белая #f6f6f4 | чёрный #202124 | черный #202124 | чёрная #202124
赤い #d2352f | 赤 #d2352f | 青い #2f6fd0 | 青 #2f6fd0 | 白い #f6f6f4 | 黒い #202124 | 黒 #202124 | 緑の #3f9b4f | 緑 #3f9b4f | 黄色い #f5c93a | ピンクの #f08cae | 빨간 #d2352f | 파란 #2f6fd0 | 하얀 #f6f6f4 | 흰 #f6f6f4 | 검은 #202124 | 노란 #f5c93a | 초록 #3f9b4f
`

export const colours = new Map(list.trim().split(/[|\n]/).map((entry) => entry.trim().split(/\s+(?=#)/) as [string, string]))

/** Colours that are also things: a thing unless a noun follows that could wear them. */
export const alsoThings = new Set(['orange', 'peach', 'coral', 'olive', 'lavender', 'mint', 'cream', 'lime', 'salmon', 'gold', 'silver', 'sage', 'mustard', 'ginger'])

/** Written after the noun in these languages; elsewhere before. */
export const afterNoun = /^[\u0600-\u06ff]+$|^(rojo|roja|azul|verde|amarill[oa]|blanc[oa]|negr[oa]|rosado|morado|rouge|bleue?|verte?|jaune|blanc|blanche|noire?|vermelh[oa]|amarelo|pret[oa]|branco|ross[oa]|blu|giallo|nero|bianco)$/
