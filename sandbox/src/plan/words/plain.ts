/** Words that carry no picture of their own. Known, so they are not reported as unmatched. */

const words = `
a an the of with on in at to and or for from by as into onto over under near beside behind between through across against above below around very really quite so just is are was be being been it its his her their your my our
this that these those there here where while during some any each every all no not without but if up down out off inside outside top bottom left right middle center centre front back
photo photograph photography photorealistic picture image shot scene view style art artwork render rendering rendered illustration painting drawing graphic design composition background backdrop foreground wallpaper
4k 8k hd uhd hdr resolution high highly quality detailed details ultra realistic realism cinematic lighting light lit lights soft hard bright dramatic beautiful stunning gorgeous amazing lovely nice cute pretty vivid vibrant
colorful colourful colors colours color colour warm cool cozy cosy calm peaceful serene clean crisp sharp focus lens camera bokeh depth shallow wide angle mm 35mm 50mm 85mm f1 f2 dslr award winning professional commercial editorial
text says say saying said reading reads titled title caption captioned letter letters lettering word words font typography named called labeled labelled bold big large small tiny little huge giant tall short long old new young
create make generate draw show showing featuring depicting please want need i me we you us can could would like standing sitting sits stands looking placed lying resting surrounded covered filled full
made set one single simple basic wireless modern fresh steps step stages phases simple easy aspect ratio square portrait landscape vertical horizontal 16 9 1 3d 2d isometric brand company shop store business studio
living dining hour time day skin face faces eye eyes smile smiling happy dense wild reflecting reflect reflects using use white-background ad advertisement advert promo hero close-up portrait reference named clear sprinkles pepperoni topped slice bowl plate stack pile fluffy striped rustic traditional ancient medieval majestic elegant abandoned glowing wearing halloween christmas xmas
un una uno unos unas el la los las de del en con y o sobre bajo entre para por al une le les des du dans avec et sur sous au aux pour ein eine einer einem einen der die das dem den und mit auf im in am vor bei zu o os as um uma no na nos nas com e da do il lo gli di del della nel nella su sulla
и в на с у под над из от для за по к
एक का की के में पर से और है को साथ बीच वाला वाली وال و في على من إلى مع عند فوق تحت بين هذا هذه
海报 招牌 标志 图标 信息图 图案 横幅 水彩 水彩画 油画 素描 卡通 动漫 写着 写有 的 在 和 与 了 上 下 里 中 一 个 只 张 幅 有 是 着 背景 照片 图片 一只 一个 一张 の を に と が で は も へ や から 写真 画像 背景に 上に 사진 배경 위에 에서 의 을 를 이 가 와 과
`

export const plain = new Set(words.trim().split(/\s+/))

/** How many; words only, digits are read as they are. */
export const numbers = new Map([
  ['two', 2], ['pair', 2], ['three', 3], ['trio', 3], ['four', 4], ['five', 5], ['several', 4], ['few', 3], ['group', 4], ['bunch', 4], ['many', 5], ['six', 5],
  ['两', 2], ['二', 2], ['三', 3], ['四', 4], ['五', 5], ['两只', 2], ['三只', 3], ['四只', 4], ['五只', 5], ['两个', 2], ['三个', 3], ['四个', 4], ['五个', 5],
  ['dos', 2], ['tres', 3], ['cuatro', 4], ['cinco', 5], ['deux', 2], ['trois', 3], ['quatre', 4], ['cinq', 5], ['zwei', 2], ['drei', 3], ['vier', 4], ['fünf', 5], ['due', 2], ['tre', 3],
  ['два', 2], ['две', 2], ['три', 3], ['четыре', 4], ['пять', 5], ['दो', 2], ['तीन', 3], ['चार', 4], ['पांच', 5], ['ثلاث', 3], ['ثلاثة', 3], ['أربعة', 4], ['خمسة', 5], ['二匹', 2], ['三匹', 3], ['두', 2], ['세', 3], ['네', 4],
])
