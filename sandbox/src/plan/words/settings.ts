/** Where a picture plays. */
export type Setting =
  | 'meadow' | 'mountains' | 'ocean' | 'city' | 'forest' | 'desert' | 'snow' | 'space' | 'underwater'
  | 'table' | 'shelf' | 'room' | 'studio' | 'sky' | 'abstract'

const list: Record<Setting, string> = {
  meadow: 'meadow hill hills hillside field fields grass grassy park garden lawn prairie pasture wildflowers countryside farm farmland vineyard savanna savannah yard backyard village road country picnic 草地 草原 草坪 花园 公园 田野 مرج حديقة الحديقة मैदान घास बगीचा बगीचे पार्क prado jardín parque campo prairie jardin parc champ wiese garten feld giardino prato луг поле сад парк лугу парке саду 庭 公園 野原 공원 정원 초원',
  mountains: 'mountain mountains alps alpine peak peaks valley valleys cliff cliffs fjord canyon volcano lake lakes river lakeside waterfall himalayas himalaya 山 山脉 雪山 湖 湖泊 湖边 河 جبل جبال بحيرة नदी झील पहाड़ पहाड़ों पर्वत हिमालय montaña montañas lago montagne montagnes lac berg berge see montanha montanhas montagna горы гора горах озеро озере 山々 호수 산',
  ocean: 'ocean sea beach coast coastline waves wave shore seaside surf seashore island bay harbor harbour 海 大海 海滩 海边 沙滩 بحر شاطئ समुद्र mar playa océano mer plage océan strand meer küste praia spiaggia mare море моря пляж пляже океан океане 浜辺 ビーチ 바다 해변',
  city: 'city cityscape skyline urban downtown street streets skyscraper skyscrapers towers metropolis tokyo york manhattan dubai shanghai hong-kong paris london alley rooftop avenue town 城市 街道 天际线 城 مدينة शहर सड़क ciudad calle ville rue paris stadt straße cidade città город городе улица улице 都市 街 도시 거리',
  forest: 'forest woods woodland jungle rainforest grove 森林 树林 丛林 غابة जंगल वन bosque selva forêt wald floresta foresta лес лесу 森 숲',
  desert: 'desert dunes dune sahara 沙漠 صحراء रेगिस्तान desierto désert wüste deserto пустыня 砂漠 사막',
  snow: 'snow snowy winter arctic antarctica antarctic glacier tundra ski 雪 雪地 冬天 ثلج बर्फ nieve invierno neige hiver schnee winter neve зима снег 雪原 눈 겨울',
  space: 'space galaxy nebula cosmos cosmic universe orbit interstellar 太空 宇宙 银河 星空 فضاء अंतरिक्ष espacio espace weltraum universo космос 宇宙空間 우주',
  underwater: 'underwater undersea reef deep-sea aquarium 水下 海底 underwasser submarino 水中 바닷속',
  table: 'table tabletop desk kitchen cafe café counter countertop marble wooden restaurant bakery bar 桌子 桌上 木桌 桌 厨房 咖啡馆 طاولة مطبخ मेज mesa cocina cuisine tisch küche tavolo cucina стол кухня テーブル 机 테이블 식탁',
  shelf: 'shelf shelves 架子 书架 رف estante étagère regal mensola полка 棚 선반',
  room: 'room bedroom livingroom living-room interior indoors office library classroom hallway lounge apartment bookstore bookshop house-interior 房间 卧室 客厅 办公室 图书馆 غرفة مكتبة कमरा कमरे habitación salón chambre salon zimmer wohnzimmer stanza комната 部屋 방',
  studio: 'studio product isolated backdrop plain seamless minimalist packshot mockup 产品 منتج producto produit produkt prodotto 产品照 スタジオ',
  sky: 'sky clouds cloudscape heavens 天空 云 سماء आसमान आकाश cielo ciel himmel céu небо 空 하늘',
  abstract: 'abstract fluid gradient swirl swirls geometric fractal 抽象 تجريدي अमूर्त abstracto abstrait abstrakt astratto абстрактный 抽象的 추상',
}

export const settings = new Map<string, Setting>()
for (const [setting, words] of Object.entries(list)) for (const word of words.split(' ')) if (!settings.has(word)) settings.set(word, setting as Setting)
